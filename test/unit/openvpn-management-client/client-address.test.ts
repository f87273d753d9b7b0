import assert from 'node:assert/strict';
import { isIPv4, isIPv6 } from 'node:net';
import * as fc from 'fast-check';
import { canonicalAddress, parseClientAddress, parseRealAddress } from 'openvpn-management-client';

const cidr = (text: string): string | undefined => parseClientAddress(text)?.cidr;

describe('Client addresses', () => {
  it('reads hosts and subnets of both families, with netmask or length', () => {
    assert.equal(cidr('10.8.0.2'), '10.8.0.2/32');
    assert.equal(cidr('192.168.77.0/255.255.255.0'), '192.168.77.0/24');
    assert.equal(cidr('192.168.77.0/24'), '192.168.77.0/24');
    assert.equal(cidr('0.0.0.0/0.0.0.0'), '0.0.0.0/0');
    assert.equal(cidr('10.8.0.2/255.255.255.255'), '10.8.0.2/32');
    assert.equal(cidr('fd00:8::1000'), 'fd00:8::1000/128');
    assert.equal(cidr('fd00:77::/64'), 'fd00:77::/64');
    assert.equal(cidr('::/0'), '::/0');
  });

  it('clears host bits', () => {
    assert.equal(cidr('192.168.77.9/255.255.255.128'), '192.168.77.0/25');
    assert.equal(cidr('fd00:77::ffff/121'), 'fd00:77::ff80/121');
  });

  it('writes IPv6 as RFC 5952 does', () => {
    assert.equal(canonicalAddress('2001:0DB8:0:0:0:0:0:1')?.address, '2001:db8::1');
    assert.equal(canonicalAddress('2001:db8:0:1:1:1:1:1')?.address, '2001:db8:0:1:1:1:1:1');
    assert.equal(canonicalAddress('1:0:0:2:0:0:0:3')?.address, '1:0:0:2::3');
    assert.equal(canonicalAddress('::ffff:192.0.2.1')?.address, '::ffff:c000:201');
    assert.equal(canonicalAddress('1::')?.address, '1::');
  });

  it('refuses netmasks with holes, lengths out of range, and everything else', () => {
    for (const text of [
      '10.0.0.0/255.0.255.0',
      '10.0.0.0/0.0.0.255',
      '10.0.0.0/33',
      'fd00::/129',
      '10.0.0',
      '10.0.0.256',
      '010.0.0.1',
      'fd00',
      ':::',
      '1:2:3:4:5:6:7:8:9',
      'fd00::1%eth0',
      'da:d6:61:1e:21:ec',
      '',
      '/24',
      '10.0.0.0/',
    ]) {
      assert.equal(parseClientAddress(text), undefined, text);
    }
  });

  it('accepts what node:net accepts, without zones and leading zeros', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.ipV4(),
          fc.ipV6(),
          fc.string({ unit: fc.constantFrom('0', '1', 'a', 'f', ':', '.', '::'), maxLength: 20 }),
        ),
        (text) => {
          const isAddress = isIPv4(text) || (isIPv6(text) && !/(?:^|[.:])0\d+\./.test(text));
          const address = canonicalAddress(text);

          assert.equal(address !== undefined, isAddress, text);
          if (address !== undefined) assert.equal(canonicalAddress(address.address)?.address, address.address);
        },
      ),
      { numRuns: 5000 },
    );
  });
});

describe('Real addresses', () => {
  it('reads the forms of 2.5, 2.6 and 2.7', () => {
    assert.deepEqual(parseRealAddress('192.0.2.1:1194'), {
      family: 4,
      address: '192.0.2.1',
      port: 1194,
      protocol: undefined,
    });
    assert.deepEqual(parseRealAddress('2001:db8::1'), {
      family: 6,
      address: '2001:db8::1',
      port: undefined,
      protocol: undefined,
    });
    assert.deepEqual(parseRealAddress('udp4:192.0.2.1:1194'), {
      family: 4,
      address: '192.0.2.1',
      port: 1194,
      protocol: 'udp',
    });
    assert.deepEqual(parseRealAddress('tcp4-server:192.0.2.1:5'), {
      family: 4,
      address: '192.0.2.1',
      port: 5,
      protocol: 'tcp',
    });
    assert.deepEqual(parseRealAddress('udp6:[2001:db8::1]:5'), {
      family: 6,
      address: '2001:db8::1',
      port: 5,
      protocol: 'udp',
    });
  });

  it('refuses anything else', () => {
    for (const text of ['', 'UNDEF', '192.0.2.1:70000', 'host:1', '[2001:db8::1', '192.0.2.1:'])
      assert.equal(parseRealAddress(text), undefined, text);
  });
});
