import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  openNftables,
  Transaction,
  type Command,
  type Expression,
  type Nftables,
  type NftObject,
  type Statement,
} from 'nftables-json';
import { requireOwnNamespace } from './namespace-guard.js';

const IN = { family: 'inet', table: 'forms' } as const;
const DEVICE_AND_MAC: Expression = {
  concat: [{ meta: { key: 'iifname' } }, { payload: { protocol: 'ether', field: 'saddr' } }],
};
const CT_MARK: Expression = { ct: { key: 'mark' } };
const PACKET_MARK: Expression = { meta: { key: 'mark' } };

/** Statements as they are written, as JSON lists them again, and as nft prints them for people. */
const STATEMENTS: readonly (readonly [title: string, statement: Statement, text: string, listed?: Statement])[] = [
  [
    'a verdict map by device and MAC address',
    { vmap: { key: DEVICE_AND_MAC, data: '@gateway' } },
    'iifname . ether saddr vmap @gateway',
  ],
  [
    'an update of a dynamic set from the packet path',
    { set: { op: 'update', elem: DEVICE_AND_MAC, set: '@candidates' } },
    'update @candidates { iifname . ether saddr }',
  ],
  [
    'an id written into the upper bits of the conntrack mark',
    { mangle: { key: CT_MARK, value: { '|': [{ '&': [CT_MARK, 0x00ffffff] }, 0x01000000] } } },
    'ct mark set ct mark & 0x01ffffff | 0x01000000',
    { mangle: { key: CT_MARK, value: { '|': [{ '&': [CT_MARK, 0x01ffffff] }, 0x01000000] } } },
  ],
  [
    'a verdict map by the upper bits of the conntrack mark',
    {
      vmap: {
        key: { '&': [CT_MARK, 0xff000000] },
        data: {
          set: [
            [0, { return: null }],
            [0x01000000, { goto: { target: 'learn_1' } }],
          ],
        },
      },
    },
    'ct mark & 0xff000000 vmap { 0x00000000 : return, 0x01000000 : goto learn_1 }',
  ],
  [
    'the packet mark taken from the conntrack mark',
    { mangle: { key: PACKET_MARK, value: { '&': [CT_MARK, 0xff000000] } } },
    'meta mark set ct mark & 0xff000000',
  ],
  [
    'a masked packet mark',
    { mangle: { key: PACKET_MARK, value: { '|': [{ '&': [PACKET_MARK, 0xffffff00] }, 0x32] } } },
    'meta mark set meta mark & 0xffffff32 | 0x00000032',
    { mangle: { key: PACKET_MARK, value: { '|': [{ '&': [PACKET_MARK, 0xffffff32] }, 0x32] } } },
  ],
  [
    'a packet mark looked up by address',
    {
      mangle: {
        key: PACKET_MARK,
        value: { map: { key: { payload: { protocol: 'ip', field: 'saddr' } }, data: '@marks' } },
      },
    },
    'meta mark set ip saddr map @marks',
  ],
  [
    'transport protocol and port in a set',
    {
      match: {
        op: '==',
        left: { concat: [{ meta: { key: 'l4proto' } }, { payload: { protocol: 'th', field: 'dport' } }] },
        right: '@transport',
      },
    },
    'meta l4proto . th dport @transport',
  ],
  [
    'the direction of the flow',
    { match: { op: '==', left: { ct: { key: 'direction' } }, right: 'original' } },
    'ct direction original',
  ],
  [
    'an Ethernet device',
    { match: { op: '==', left: { meta: { key: 'iiftype' } }, right: 'ether' } },
    'meta iiftype ether',
  ],
  [
    'an address of this host',
    { match: { op: '==', left: { fib: { result: 'type', flags: ['daddr'] } }, right: 'local' } },
    'fib daddr type local',
  ],
  [
    'the ICMPv6 protocol',
    { match: { op: '==', left: { meta: { key: 'l4proto' } }, right: 'ipv6-icmp' } },
    'meta l4proto ipv6-icmp',
  ],
  [
    'neighbour discovery',
    {
      match: {
        op: '==',
        left: { payload: { protocol: 'icmpv6', field: 'type' } },
        right: { set: ['nd-neighbor-solicit', 'nd-neighbor-advert'] },
      },
    },
    'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }',
  ],
  [
    'states of the flow',
    { match: { op: 'in', left: { ct: { key: 'state' } }, right: ['established', 'related'] } },
    'ct state established,related',
  ],
  [
    'an address of the original direction',
    { match: { op: '==', left: { ct: { key: 'ip saddr', dir: 'original' } }, right: '@clients' } },
    'ct original ip saddr @clients',
  ],
  [
    'device and subnet in an interval set',
    {
      match: {
        op: '==',
        left: { concat: [{ meta: { key: 'iifname' } }, { payload: { protocol: 'ip', field: 'daddr' } }] },
        right: '@subnets',
      },
    },
    'iifname . ip daddr @subnets',
  ],
  ['a device', { match: { op: '!=', left: { meta: { key: 'iifname' } }, right: 'tun0' } }, 'iifname != "tun0"'],
  [
    'the network protocol',
    { match: { op: '==', left: { meta: { key: 'nfproto' } }, right: 'ipv6' } },
    'meta nfproto ipv6',
  ],
  ['a counter', { counter: null }, 'counter packets 0 bytes 0', { counter: { packets: 0, bytes: 0 } }],
  ['a rejection', { reject: { type: 'icmpx', expr: 'admin-prohibited' } }, 'reject with icmpx admin-prohibited'],
  ['a log line', { log: { prefix: 'gw ', level: 'info' } }, 'log prefix "gw " level info'],
  ['a limit', { limit: { rate: 10, burst: 5, per: 'second' } }, 'limit rate 10/second'],
];

/** Elements as they are written; JSON lists them again in the same form. */
const ELEMENTS: readonly (readonly [set: string, element: Expression | readonly [Expression, Expression]])[] = [
  ['clients', '192.0.2.1'],
  ['clients', { elem: { val: '192.0.2.2', comment: 'alice' } }],
  ['clients6', '2001:db8::1'],
  ['gateway', [{ concat: ['lan0', '02:00:00:00:00:01'] }, { goto: { target: 'learn_1' } }]],
  ['transport', { concat: ['udp', 1194] }],
  ['transport', { concat: ['tcp', 443] }],
  ['subnets', { concat: ['tun0', { prefix: { addr: '10.8.0.0', len: 16 } }] }],
  ['ranges', { prefix: { addr: '10.9.0.0', len: 16 } }],
  ['ranges', { range: ['10.10.0.3', '10.10.0.9'] }],
  ['marks', ['192.0.2.1', 50]],
];

for (const executor of ['library', 'process'] as const) {
  describe(`objects of a VPN endpoint through the ${executor} executor`, () => {
    let nftables: Nftables;
    before(requireOwnNamespace);

    beforeEach(async () => {
      nftables = await openNftables({ executor });
      await nftables.run([{ flush: { ruleset: null } }, ...skeleton()]);
    });

    afterEach(async () => {
      await nftables.run([{ flush: { ruleset: null } }]);
      await nftables[Symbol.asyncDispose]();
    });

    for (const [title, statement, , listed = statement] of STATEMENTS) {
      it(`takes and lists ${title}`, async () => {
        const expr = [statement];

        await nftables.run([{ add: { rule: { ...IN, chain: 'learn_1', expr } } }]);

        const objects = await nftables.list({ chain: { ...IN, name: 'learn_1' } });
        assert.deepEqual(rulesOf(objects), [[listed]]);
      });
    }

    it('takes and lists elements of every form', async () => {
      await nftables.run(
        ELEMENTS.map(([name, element]): Command => ({ add: { element: { ...IN, name, elem: [element] } } })),
      );

      const listed = await nftables.list({ table: { family: 'inet', name: 'forms' } });

      for (const [name, element] of ELEMENTS) {
        assert.ok(
          elementsOf(listed, name).some((each) => JSON.stringify(each) === JSON.stringify(element)),
          `${name} has ${JSON.stringify(element)}`,
        );
      }
    });

    it('deletes elements of every form, those of a map by their key alone', async () => {
      await nftables.run(
        ELEMENTS.map(([name, element]): Command => ({ add: { element: { ...IN, name, elem: [element] } } })),
      );

      await nftables.run(
        ELEMENTS.map(([name, element]): Command => ({
          delete: { element: { ...IN, name, elem: [Array.isArray(element) ? keyOf(element) : element] } },
        })),
      );

      const listed = await nftables.list({ table: { family: 'inet', name: 'forms' } });
      assert.deepEqual(
        ELEMENTS.flatMap(([name]) => elementsOf(listed, name)),
        [],
      );
    });

    it('lists what is left of the time of an element', async () => {
      const val: Expression = { concat: ['lan0', '02:00:00:00:00:05'] };
      await nftables.run([
        { add: { element: { ...IN, name: 'candidates', elem: [{ elem: { val, timeout: 500 } }] } } },
      ]);

      const [element] = elementsOf(await nftables.list({ set: { ...IN, name: 'candidates' } }), 'candidates');

      assert.ok(typeof element === 'object' && 'elem' in element);
      assert.deepEqual(element.elem.val, val);
      assert.equal(element.elem.timeout, 500);
      assert.ok((element.elem.expires ?? 0) > 400 && (element.elem.expires ?? 0) <= 500);
    });
  });
}

function skeleton(): readonly Command[] {
  return new Transaction()
    .add({ table: { family: 'inet', name: 'forms' } })
    .add({ chain: { ...IN, name: 'learn', type: 'filter', hook: 'prerouting', prio: -150, policy: 'accept' } })
    .add({ chain: { ...IN, name: 'answer', type: 'route', hook: 'output', prio: -150 } })
    .add({ chain: { ...IN, name: 'learn_1' } })
    .add({ set: { ...IN, name: 'clients', type: 'ipv4_addr' } })
    .add({ set: { ...IN, name: 'clients6', type: 'ipv6_addr' } })
    .add({ set: { ...IN, name: 'transport', type: ['inet_proto', 'inet_service'] } })
    .add({ set: { ...IN, name: 'subnets', type: ['ifname', 'ipv4_addr'], flags: ['interval'] } })
    .add({ set: { ...IN, name: 'ranges', type: 'ipv4_addr', flags: 'interval' } })
    .add({
      set: {
        ...IN,
        name: 'candidates',
        type: ['ifname', 'ether_addr'],
        flags: ['dynamic', 'timeout'],
        timeout: 60,
        size: 1024,
      },
    })
    .add({ map: { ...IN, name: 'gateway', type: ['ifname', 'ether_addr'], map: 'verdict' } })
    .add({ map: { ...IN, name: 'marks', type: 'ipv4_addr', map: 'mark' } }).commands;
}

function rulesOf(objects: readonly NftObject[]): readonly (readonly Statement[])[] {
  return objects.flatMap((object) => ('rule' in object ? [object.rule.expr] : []));
}

function elementsOf(
  objects: readonly NftObject[],
  name: string,
): readonly (Expression | readonly [Expression, Expression])[] {
  for (const object of objects) {
    if ('set' in object && object.set.name === name) {
      return object.set.elem ?? [];
    }
    if ('map' in object && object.map.name === name) {
      return object.map.elem ?? [];
    }
  }
  return [];
}

function keyOf(pair: readonly unknown[]): Expression {
  // A pair of this file's own table: its first half is an expression.
  return pair[0] as Expression;
}

describe('the words of nft', () => {
  before(requireOwnNamespace);

  it('mean what the JSON was meant to say', async () => {
    await using nftables = await openNftables();
    await nftables.run([
      { flush: { ruleset: null } },
      ...skeleton(),
      ...STATEMENTS.map(([, statement]): Command => ({
        add: { rule: { ...IN, chain: 'learn_1', expr: [statement] } },
      })),
    ]);

    const text = execFileSync('nft', ['list', 'chain', 'inet', 'forms', 'learn_1'], { encoding: 'utf8' });
    await nftables.run([{ flush: { ruleset: null } }]);

    assert.deepEqual(
      text
        .split('\n')
        .map((line) => line.trim())
        .slice(2, -3),
      STATEMENTS.map(([, , words]) => words),
    );
  });
});
