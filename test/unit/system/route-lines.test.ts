import assert from 'node:assert/strict';
import { parseOnlinkRoute, parseRouteLine } from '../../../sidecar/routing/iproute.js';

describe('parseRouteLine', () => {
  const lines = [
    ['default via 192.0.2.1 dev lan0 proto 3 ', { dst: 'default', protocol: '3' }],
    ['10.8.0.0/24 dev tun0 proto 2 scope 253 src 10.8.0.1 ', { dst: '10.8.0.0/24', protocol: '2' }],
    ['203.0.113.0/24 dev lan0 table 7700 scope 253 ', { dst: '203.0.113.0/24', table: '7700' }],
    [
      'default via 169.254.119.1 dev lan0 table 7711 proto 147 onlink ',
      { dst: 'default', table: '7711', protocol: '147' },
    ],
    ['9 198.51.100.0/24 table 7703 proto 147 ', { dst: '198.51.100.0/24', table: '7703', protocol: '147' }],
    [
      '2 192.0.2.10 dev lan0 table 255 proto 2 scope 254 src 192.0.2.10 ',
      { dst: '192.0.2.10', table: '255', protocol: '2' },
    ],
    ['2001:db8:9::/64 dev lan0 table 7910 metric 1024 pref medium', { dst: '2001:db8:9::/64', table: '7910' }],
    ['5 ff00::/8 dev lan0 table 255 proto 2 metric 256 pref medium', { dst: 'ff00::/8', table: '255', protocol: '2' }],
    [
      'default proto 147 metric 1024 \\\tnexthop via fe80::1 dev lan0 weight 1 \\\tnexthop via fe80::2 dev lan0 weight 1 pref medium',
      { dst: 'default', protocol: '147' },
    ],
  ] as const;
  for (const [line, route] of lines) {
    it(`reads ${line.trim()}`, () => {
      assert.deepEqual(parseRouteLine(line), route);
    });
  }

  it('passes over what is no route', () => {
    assert.equal(parseRouteLine(''), null);
    assert.equal(parseRouteLine('Dump was interrupted and may be inconsistent.'), null);
  });
});

describe('parseOnlinkRoute', () => {
  const lines = [
    ['192.0.2.0/24 dev lan0 proto 2 scope 253 src 192.0.2.10 ', { dst: '192.0.2.0/24', device: 'lan0' }],
    ['169.254.1.1 dev lan0 proto 16 scope 253 ', { dst: '169.254.1.1', device: 'lan0' }],
    [
      '2001:db8::/64 dev lan0 proto 2 metric 256 expires 2591999sec pref medium',
      { dst: '2001:db8::/64', device: 'lan0' },
    ],
    ['2001:db8::/64 dev wan.7 proto 9 metric 100 pref medium', { dst: '2001:db8::/64', device: 'wan.7' }],
    ['198.51.100.0/24 via 192.0.2.1 dev lan0 ', null],
    ['default dev lan0 scope 253 ', null],
    ['default via fe80::1 dev lan0 proto 9 metric 1024 ', null],
    [
      '2001:db8:7::/48 proto 4 metric 1024 \\\tnexthop via fe80::1 dev lan0 weight 1 \\\tnexthop via fe80::2 dev lan0 weight 1 pref medium',
      null,
    ],
    ['7 203.0.113.0/24 dev lo ', null],
  ] as const;
  for (const [line, route] of lines) {
    it(`${route === null ? 'passes over' : 'reads'} ${line.trim()}`, () => {
      assert.deepEqual(parseOnlinkRoute(line), route === null ? null : { ...route, isOnlink: true });
    });
  }
});
