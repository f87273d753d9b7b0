import assert from 'node:assert/strict';
import { isIPv4 } from 'node:net';
import type { Command, Element } from 'nftables-json';
import { scriptedNftables, toElementChanges, type ElementChange } from 'nftables-json/testing';

const SET = { family: 'inet', table: 't', name: 's' } as const;

describe('a change of single addresses', () => {
  for (const [text, hex] of [
    ['192.0.2.1', 'c0000201'],
    ['255.255.255.255', 'ffffffff'],
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['2001:DB8::', '20010db8000000000000000000000000'],
    ['2001:db8:1::2:3', '20010db8000100000000000000020003'],
    ['2001:0db8:0:0:0:0:0:00ff', '20010db80000000000000000000000ff'],
    ['::ffff:192.0.2.1', '00000000000000000000ffffc0000201'],
    ['64:ff9b:0:0:0:0:192.0.2.33', '0064ff9b0000000000000000c0000221'],
  ] as const) {
    it(`reads ${text} as ${hex}`, () => {
      assert.equal(keysOf([add([text])]), hex);
    });
  }

  it('reads as IPv4 what node:net does, and nothing else', () => {
    const parts = ['', '.', '0', '00', '9', '25', '255', '256', '01', '1000', 'a', ' ', '-1', '.1', '1.'];
    for (const first of parts) {
      for (const second of parts) {
        for (const text of [
          `${first}.0.${second}.7`,
          `1.${first}.3${second}`,
          `1.2.3.${first}${second}`,
          `${first}1.2.3.4${second}`,
        ]) {
          assert.equal(toElementChanges([add([text])])?.[0]?.keyBytes === 4, isIPv4(text), text);
        }
      }
    }
  });

  it('keeps the order of commands, their verbs and the protocol of their family', () => {
    const changes = toElementChanges([
      add(['192.0.2.1', '192.0.2.2']),
      { delete: { element: { ...SET, family: 'ip6', elem: ['::1'] } } },
    ]);

    assert.deepEqual(
      changes?.map(({ verb, protocol, keyBytes, keys }) => [verb, protocol, keyBytes, keys.length]),
      [
        ['add', 1, 4, 2],
        ['delete', 10, 16, 1],
      ],
    );
  });

  const others: readonly (readonly [what: string, commands: readonly Command[]])[] = [
    ['no command', []],
    ['no element', [add([])]],
    ['a subnet', [add(['192.0.2.0/24'])]],
    ['a name', [add(['localhost'])]],
    ['a set reference', [add(['@other'])]],
    ['an address with leading zeros, which C reads as octal', [add(['192.0.2.010'])]],
    ['a short address, which C fills up', [add(['10.1'])]],
    ['an address with a zone', [add(['fe80::1%lo'])]],
    ['a number', [add([1])]],
    ['a range', [add([{ range: ['192.0.2.1', '192.0.2.9'] }])]],
    ['an element with a timeout', [add([{ elem: { val: '192.0.2.1', timeout: 5 } }])]],
    ['an element of a map', [add([['192.0.2.1', 1]])]],
    ['addresses of two families', [add(['192.0.2.1', '::1'])]],
    ['another object', [add(['192.0.2.1']), { add: { table: { family: 'inet', name: 't' } } }]],
    ['create', [{ create: { element: { ...SET, elem: ['192.0.2.1'] } } }]],
    ['destroy', [{ destroy: { element: { ...SET, elem: ['192.0.2.1'] } } }]],
    ['a name with a NUL', [{ add: { element: { ...SET, name: 's\0t', elem: ['192.0.2.1'] } } }]],
    [
      'more than 1,000 elements',
      [add(Array.from({ length: 600 }, () => '192.0.2.1')), add(Array.from({ length: 401 }, () => '192.0.2.1'))],
    ],
    // What a caller without types may pass.
    [
      'a property that is not known',
      [{ add: { element: Object.assign({ ...SET, elem: ['192.0.2.1'] }, { handle: 1 }) } }],
    ],
    ['two commands in one', [Object.assign(add(['192.0.2.1']), { delete: { table: { family: 'inet', name: 't' } } })]],
    [
      'a family that there is none of',
      [{ add: { element: Object.assign({ ...SET, elem: ['192.0.2.1'] }, { family: 'ipx' }) } }],
    ],
  ];
  for (const [what, commands] of others) {
    it(`is not ${what}`, () => {
      assert.equal(toElementChanges(commands), undefined);
    });
  }
});

describe('a transaction of single addresses', () => {
  it('does not reach libnftables when it was applied without it', async () => {
    const taken: (readonly ElementChange[])[] = [];
    const nftables = scriptedNftables(
      () => assert.fail('libnftables was asked'),
      async (changes) => {
        taken.push(changes);
        return true;
      },
    );

    await nftables.run([add(['192.0.2.1'])]);

    assert.equal(taken.length, 1);
  });

  it('goes through libnftables when nothing was applied without it', async () => {
    const inputs: unknown[] = [];
    const nftables = scriptedNftables((input) => {
      inputs.push(input.nftables);
      return {};
    });

    await nftables.run([add(['192.0.2.1'])]);

    assert.deepEqual(inputs, [[add(['192.0.2.1'])]]);
  });

  it('is only tried by libnftables when it is checked', async () => {
    let checks = 0;
    const nftables = scriptedNftables(
      (_input, { check }) => {
        checks += check ? 1 : 0;
        return {};
      },
      () => assert.fail('it was applied'),
    );

    await nftables.check([add(['192.0.2.1'])]);

    assert.equal(checks, 1);
  });
});

function add(elem: Element['elem']): Command {
  return { add: { element: { ...SET, elem } } };
}

function keysOf(commands: readonly Command[]): string | undefined {
  return toElementChanges(commands)
    ?.map(({ keys }) => keys.map((key) => Buffer.from(key).toString('hex')).join(' '))
    .join(' ');
}
