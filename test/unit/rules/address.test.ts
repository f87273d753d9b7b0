import assert from 'node:assert/strict';
import { BlockList, SocketAddress, isIP } from 'node:net';
import * as fc from 'fast-check';
import type { Network } from '../../../rules/index.js';
import { addressBits, contains, formatNetmask, formatNetwork, isHost, parseNetwork } from '../../../rules/index.js';

const ipv4 = fc.ipV4();
// Addresses with runs of zeros, where RFC 5952 has something to say.
const ipv6 = fc.oneof(
  fc.ipV6(),
  fc
    .array(fc.constantFrom('0', '0', '0', '1', 'ab', '0db8', 'FFFF'), { minLength: 8, maxLength: 8 })
    .map((groups) => groups.join(':')),
);
const network = fc
  .oneof(
    fc.record({ family: fc.constant(4 as const), text: ipv4 }),
    fc.record({ family: fc.constant(6 as const), text: ipv6 }),
  )
  .chain(({ family, text }) =>
    fc.integer({ min: 0, max: addressBits(family) }).map((prefixLength) => ({ family, text, prefixLength })),
  );

function parse(text: string): Network {
  const parsed = parseNetwork(text);
  assert.ok(parsed !== null, `${text} does not parse`);
  return parsed;
}

function type(family: 4 | 6): 'ipv4' | 'ipv6' {
  return family === 4 ? 'ipv4' : 'ipv6';
}

describe('parseNetwork', () => {
  for (const [text, printed] of [
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1/32', '192.0.2.1'],
    ['192.0.2.255/24', '192.0.2.0/24'],
    ['255.255.255.255/0', '0.0.0.0/0'],
    ['2001:DB8::1', '2001:db8::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['0:0:0:0:0:0:0:0', '::'],
    ['1:0:0:0:0:0:0:0', '1::'],
    ['::ffff:192.0.2.1', '::ffff:c000:201'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['::192.0.2.1', '::c000:201'],
    ['::0.0.0.0', '::'],
    ['1:2:3:4:5:6:0.0.0.0', '1:2:3:4:5:6::'],
    ['2001:db8:77::5/64', '2001:db8:77::/64'],
    ['2001:db8::/0', '::/0'],
  ] as const) {
    it(`reads ${text} as ${printed}`, () => {
      assert.equal(formatNetwork(parse(text)), printed);
    });
  }

  for (const text of [
    '',
    '/',
    '/24',
    '1',
    '192.0.2',
    '3221225985',
    '0xc0000201',
    '192.0.2.1.1',
    '192.0.2.256',
    '192.0.02.1',
    '192.0.2.01',
    '00.0.0.0',
    '192.0.2.1/',
    '192.0.2.1/33',
    '192.0.2.1/-1',
    '192.0.2.1/+8',
    '192.0.2.1/8/8',
    ' 192.0.2.1',
    '0x7f.0.0.1',
    '192.0.2.0/255.255.255.0',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    '12345::',
    'fe80::1%eth0',
    'fe80::192.0.2.1%eth0',
    '::192.0.2',
    '::192.0.2.01',
    '::0xc0.0.2.1',
    '::3221225985',
    '192.0.2.1::',
    '::/129',
    '::/1e1',
    'g::',
    '1:',
    ':1',
    '1:2:3:4:5:6:7:',
    ':1:2:3:4:5:6:7',
    '::1.2.3.4:5',
  ]) {
    it(`refuses "${text}"`, () => {
      assert.equal(parseNetwork(text), null);
    });
  }

  it('takes exactly what node:net takes for an address', () => {
    const almost = fc.oneof(
      fc.string({ unit: fc.constantFrom(':', '.', '0', '1', 'f', '255', '::'), maxLength: 24 }),
      ipv4,
      ipv6,
    );
    fc.assert(
      fc.property(almost, (text) => {
        assert.equal(parseNetwork(text)?.family ?? 0, isIP(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('prints an address as node:net does, IPv4 in IPv6 apart', () => {
    fc.assert(
      fc.property(network, ({ family, text }) => {
        const ours = parse(text).address;
        const theirs = new SocketAddress({ family: type(family), address: text, port: 1 }).address;
        // inet_ntop prints the last 32 bits of some prefixes as IPv4.
        fc.pre(family === 4 || !theirs.includes('.'));
        assert.equal(ours, theirs);
      }),
      { numRuns: 1000 },
    );
  });

  it('gives back what it printed', () => {
    fc.assert(
      fc.property(network, ({ text, prefixLength }) => {
        const parsed = parse(`${text}/${prefixLength}`);
        assert.deepEqual(parseNetwork(formatNetwork(parsed)), parsed);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('contains', () => {
  it('agrees with node:net BlockList', () => {
    fc.assert(
      fc.property(network, network, fc.boolean(), (outer, other, isNear) => {
        // Two random addresses are seldom in one network: half of the time the inner one is made of the outer.
        const inner = isNear
          ? parse(
              `${outer.text}/${Math.min(addressBits(outer.family), outer.prefixLength + (other.prefixLength % 4))}`,
            )
          : parse(other.text);
        fc.pre(isHost(inner) || isNear);
        const list = new BlockList();
        list.addSubnet(outer.text, outer.prefixLength, type(outer.family));
        const isInside =
          inner.family === outer.family &&
          inner.prefixLength >= outer.prefixLength &&
          list.check(inner.address, type(inner.family));
        assert.equal(contains(parse(`${outer.text}/${outer.prefixLength}`), inner), isInside);
      }),
      { numRuns: 2000 },
    );
  });

  it('holds between a network and itself, and not between families', () => {
    assert.equal(contains(parse('0.0.0.0/0'), parse('::1')), false);
    assert.equal(contains(parse('::/0'), parse('192.0.2.1')), false);
    assert.equal(contains(parse('192.0.2.0/24'), parse('192.0.2.0/24')), true);
    assert.equal(contains(parse('192.0.2.0/25'), parse('192.0.2.0/24')), false);
  });
});

describe('formatNetmask', () => {
  it('has as many leading ones as the prefix length says', () => {
    assert.equal(formatNetmask(4, 0), '0.0.0.0');
    assert.equal(formatNetmask(4, 9), '255.128.0.0');
    assert.equal(formatNetmask(4, 32), '255.255.255.255');
    assert.equal(formatNetmask(6, 0), '::');
    assert.equal(formatNetmask(6, 64), 'ffff:ffff:ffff:ffff::');
    assert.equal(formatNetmask(6, 113), 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:8000');
    assert.equal(formatNetmask(6, 128), 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff');
  });
});
