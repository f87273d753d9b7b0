import assert from 'node:assert/strict';
import { SocketAddress } from 'node:net';
import * as fc from 'fast-check';
import { contains, nexthopAddress } from '../../../rules/index.js';
import { nexthop6 } from './arbitraries.js';
import { POLICY, network } from './sample-site.js';

describe('nexthopAddress', () => {
  it('is the address of the prefix with the id in its last bits, as the kernel prints it', () => {
    fc.assert(
      fc.property(nexthop6, fc.integer({ min: 1, max: 254 }), (prefix, id) => {
        const address = nexthopAddress({ ...POLICY, routing: { ...POLICY.routing, nexthop6: prefix } }, 6, id);
        assert.equal(address, new SocketAddress({ family: 'ipv6', address, port: 1 }).address);
        assert.ok(contains(prefix, network(address)));
        assert.equal(Number.parseInt(address.split(':').at(-1) ?? '', 16), id);
      }),
      { numRuns: 1000 },
    );
  });

  for (const [prefix, id, address] of [
    ['169.254.119.0/24', 1, '169.254.119.1'],
    ['169.254.119.0/24', 254, '169.254.119.254'],
    ['fe80::6777:6d61:726b:0/112', 200, 'fe80::6777:6d61:726b:c8'],
    ['fd00::/64', 16, 'fd00::10'],
    ['fd00:1:2:3:4:5::/112', 7, 'fd00:1:2:3:4:5:0:7'],
    ['2001:db8:0:0:1::/112', 7, '2001:db8::1:0:0:7'],
    ['fd00:1:2:3:4:5:6:0/112', 254, 'fd00:1:2:3:4:5:6:fe'],
  ] as const) {
    it(`of ${id} in ${prefix} is ${address}`, () => {
      const parsed = network(prefix);
      const routing = { ...POLICY.routing, ...(parsed.family === 4 ? { nexthop4: parsed } : { nexthop6: parsed }) };
      assert.equal(nexthopAddress({ ...POLICY, routing }, parsed.family, id), address);
    });
  }

  it('is another one for each id', () => {
    for (const family of [4, 6] as const) {
      assert.equal(
        new Set(Array.from({ length: 254 }, (_, index) => nexthopAddress(POLICY, family, index + 1))).size,
        254,
      );
    }
  });
});
