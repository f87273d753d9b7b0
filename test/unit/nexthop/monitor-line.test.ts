import assert from 'node:assert/strict';
import { parseMonitorLine } from '../../../sidecar/routing/neighbour-monitor.js';

const parse = (line: string): ReturnType<typeof parseMonitorLine> => parseMonitorLine(line, 147);
const neighbour = { kind: 'neighbour', device: 'lan0', isDeleted: false, isOurs: false } as const;

// Lines of `ip -N -o monitor label`, iproute2 6.1 on Linux 6.18.
describe('parseMonitorLine', () => {
  for (const [line, event] of [
    [
      '[NEIGH]192.0.2.9 dev lan0 lladdr 02:00:00:00:00:09 REACHABLE ',
      { ...neighbour, address: '192.0.2.9', mac: '02:00:00:00:00:09' },
    ],
    [
      '[NEIGH]192.0.2.9 dev lan0 lladdr 02:00:00:00:00:0a STALE ',
      { ...neighbour, address: '192.0.2.9', mac: '02:00:00:00:00:0a' },
    ],
    [
      '[NEIGH]fe80::9 dev lan0 lladdr 02:00:00:00:00:09 router REACHABLE ',
      { ...neighbour, address: 'fe80::9', mac: '02:00:00:00:00:09' },
    ],
    ['[NEIGH]192.0.2.9 dev lan0 FAILED ', { ...neighbour, address: '192.0.2.9', mac: null }],
    ['[NEIGH]Deleted 192.0.2.9 dev lan0 FAILED ', { ...neighbour, address: '192.0.2.9', mac: null, isDeleted: true }],
    [
      '[NEIGH]Deleted fe80::9 dev lan0 lladdr 02:00:00:00:00:09 router REACHABLE ',
      { ...neighbour, address: 'fe80::9', mac: null, isDeleted: true },
    ],
    [
      '[NEIGH]169.254.119.2 dev lan0 lladdr 02:00:00:00:00:01 PERMANENT proto 147 ',
      { ...neighbour, address: '169.254.119.2', mac: '02:00:00:00:00:01', isOurs: true },
    ],
    ['[NEIGH]ff02::2 dev lan0 lladdr 33:33:00:00:00:02 NOARP ', { ...neighbour, address: 'ff02::2', mac: null }],
    [
      '[NEIGH]192.0.2.9 dev wan.7 lladdr 02:00:00:00:00:09 DELAY ',
      { ...neighbour, device: 'wan.7', address: '192.0.2.9', mac: '02:00:00:00:00:09' },
    ],
    ['[NEIGH]dev p1 lladdr 02:00:00:00:00:09 REACHABLE ', { kind: 'bridged', port: 'p1', mac: '02:00:00:00:00:09' }],
    ['[NEIGH]dev p1 lladdr 02:00:00:00:00:11 PERMANENT ', null],
    ['[NEIGH]Deleted dev p1 lladdr 02:00:00:00:00:09 REACHABLE ', null],
    ['[ROUTE]10.77.0.0/16 dev lan0 scope 253 ', { kind: 'onlink-route', device: 'lan0' }],
    ['[ROUTE]Deleted fe80::/64 dev lan0p proto 2 metric 256 pref medium', { kind: 'onlink-route', device: 'lan0p' }],
    [
      '[ROUTE]2001:db8:1::/64 dev lan0 proto 2 metric 256 expires 2591999sec pref medium',
      { kind: 'onlink-route', device: 'lan0' },
    ],
    ['[ROUTE]198.51.100.0/24 via 10.3.0.2 dev lan0 ', { kind: 'route' }],
    ['[ROUTE]default dev lan0 scope 253 ', { kind: 'route' }],
    ['[ROUTE]default via fe80::1 dev lan0 proto 9 metric 1024 ', { kind: 'route' }],
    ['[ROUTE]local 10.3.0.1 dev lan0 table 255 proto 2 scope 254 src 10.3.0.1 ', { kind: 'route' }],
    ['[ROUTE]10.8.0.0/24 dev tun0 table 7700 proto 147 scope 253 ', { kind: 'route' }],
    [String.raw`[ROUTE]198.51.100.0/24 \tnexthop via 10.3.0.2 dev lan0 weight 1 `, { kind: 'route' }],
    ['[RULE]77:\tfrom all lookup 254', { kind: 'rule' }],
    [
      String.raw`[ADDR]3: lan0    inet 10.3.0.1/24 scope 0 lan0\       valid_lft forever preferred_lft forever`,
      { kind: 'address' },
    ],
    [
      String.raw`[LINK]2: lan0p@lan0: <BROADCAST,MULTICAST> mtu 1500 qdisc noqueue state DOWN group 0 \    link/[1] 2e:30:18:c7:35:e6 brd ff:ff:ff:ff:ff:ff`,
      { kind: 'link' },
    ],
  ] as const) {
    it(`reads ${line.trim().slice(0, 70)}`, () => {
      assert.deepEqual(parse(line), event);
    });
  }

  it('passes over what says nothing', () => {
    for (const line of [
      '',
      '[NEIGH]',
      '[NEIGH]192.0.2.1',
      '[NEIGH]192.0.2.1 dev',
      '[MROUTE]x',
      '192.0.2.9 dev lan0 lladdr 02:00:00:00:00:09 REACHABLE',
      'netlink receive error No buffer space available (105)',
    ]) {
      assert.equal(parse(line), null);
    }
  });
});
