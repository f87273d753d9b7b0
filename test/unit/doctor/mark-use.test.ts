import assert from 'node:assert/strict';

import type { NftObject, Statement } from 'nftables-json';

import { iptablesMarkWrites, nftMarkWrites } from '../../../sidecar/doctor/mark-use.js';

const META = { meta: { key: 'mark' } } as const;
const CT = { ct: { key: 'mark' } } as const;

function written(statement: Statement, table = 'other'): readonly (readonly number[])[] {
  const objects: readonly NftObject[] = [
    { rule: { family: 'inet', table, chain: 'c', expr: [{ accept: null }, statement] } },
  ];
  return nftMarkWrites(objects, 'gwmark').map(({ touched, sets, copies }) => [touched, sets, copies]);
}

function prerouting(table: string, name: string, prio: number): NftObject {
  return { chain: { family: 'inet', table, name, type: 'filter', hook: 'prerouting', prio } };
}

/** Whether a copy at one priority comes before our chain at another. */
function order(priority: number, ours = 100): unknown {
  const copy: NftObject = {
    rule: { family: 'inet', table: 'other', chain: 'c', expr: [{ mangle: { key: META, value: CT } }] },
  };
  const chains = [prerouting('gwmark', 'prerouting', ours), prerouting('other', 'c', priority)];
  return nftMarkWrites([...chains, copy], 'gwmark')[0]?.order;
}

/** The same of iptables, in the order of its rules. */
function orders(saved: string): readonly unknown[] {
  return iptablesMarkWrites(`*mangle\n${saved}`, 'gwmark-', 'gwmark-in').map((write) => write.order);
}

describe('nftMarkWrites', () => {
  for (const [title, statement, effect] of [
    ['a constant writes every bit', { mangle: { key: META, value: 0x32 } }, [0xffffffff, 0x32, 0]],
    ['`mark or 0x40` touches that bit', { mangle: { key: META, value: { '|': [META, 0x40] } } }, [0x40, 0x40, 0]],
    [
      '`mark and KEEP or SET` touches what is not kept',
      { mangle: { key: CT, value: { '|': [{ '&': [CT, 0xffffff00] }, 0x32] } } },
      [0xff, 0x32, 0],
    ],
    [
      'the conntrack mark as packet mark copies every bit',
      { mangle: { key: META, value: CT } },
      [0xffffffff, 0, 0xffffffff],
    ],
    [
      'a copy under a mask copies these bits',
      { mangle: { key: META, value: { '&': [CT, 0xff0000] } } },
      [0xffffffff, 0, 0xff0000],
    ],
    [
      'what cannot be followed may set every bit',
      { mangle: { key: META, value: { map: { key: META, data: '@m' } } } },
      [0xffffffff, 0xffffffff, 0],
    ],
  ] as const) {
    it(title, () => {
      assert.deepEqual(written(statement as unknown as Statement), [effect]);
    });
  }

  it('tells whether a copy comes before our rules, which clear it, or after', () => {
    assert.equal(order(-150), 'undone');
    assert.equal(order(-150, -102), 'undone');
    assert.equal(order(100), 'late');
    assert.equal(order(-99, -102), 'late');
  });

  it('passes over what another program saves of packets that have its own mark', () => {
    const save = { mangle: { key: CT, value: META } };
    const rule = (...expr: readonly Statement[]): readonly NftObject[] => [
      { rule: { family: 'inet', table: 'other', chain: 'c', expr: [...expr, save] } },
    ];

    assert.deepEqual(nftMarkWrites(rule({ match: { op: '==', left: META, right: 0xca6c } }), 'gwmark'), []);
    assert.equal(nftMarkWrites(rule({ match: { op: '==', left: META, right: 0 } }), 'gwmark').length, 1);
    assert.equal(nftMarkWrites(rule({ match: { op: '!=', left: META, right: 0xca6c } }), 'gwmark').length, 1);
  });

  it('passes over our own table and other keys', () => {
    assert.deepEqual(written({ mangle: { key: META, value: 1 } }, 'gwmark'), []);
    assert.deepEqual(written({ mangle: { key: { meta: { key: 'priority' } }, value: 1 } }), []);
  });
});

describe('iptablesMarkWrites', () => {
  it('reads the targets MARK and CONNMARK as iptables-save prints them', () => {
    const saved =
      '*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -j MARK --set-xmark 0x4000/0x4000\n-A OUTPUT -j CONNMARK --restore-mark --nfmask 0xff0000 --ctmask 0xff0000\n-A OUTPUT -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff\n-A OUTPUT -m mark --mark 0x1 -j ACCEPT\nCOMMIT\n*filter\n-A FORWARD -j MARK --set-xmark 0x1/0xffffffff\n';

    assert.deepEqual(iptablesMarkWrites(saved, 'gwmark-', 'gwmark-in'), [
      { where: 'iptables chain mangle PREROUTING', touched: 0x4000, sets: 0x4000, copies: 0, order: 'undone' },
      { where: 'iptables chain mangle OUTPUT', touched: 0xff0000, sets: 0, copies: 0xff0000, order: null },
      { where: 'iptables chain mangle OUTPUT', touched: 0xffffffff, sets: 0, copies: 0xffffffff, order: null },
      { where: 'iptables chain filter FORWARD', touched: 0xffffffff, sets: 1, copies: 0, order: null },
    ]);
  });

  it('passes over chains of our own', () => {
    assert.deepEqual(
      iptablesMarkWrites(
        '*mangle\n-A gwmark-learn-1 -j CONNMARK --set-xmark 0x1000000/0xff000000\n',
        'gwmark-',
        'gwmark-in',
      ),
      [],
    );
  });

  it('tells whether a copy comes before our jump, which clears it, or after', () => {
    const copy = '-A PREROUTING -p udp -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff\n';
    const jump = '-A PREROUTING -j gwmark-in\n';

    assert.deepEqual(orders(copy + jump), ['undone']);
    assert.deepEqual(orders(jump + copy), ['late']);
    assert.deepEqual(orders(copy), ['undone'], 'our rules are in nftables, behind the table mangle');
  });

  it('passes over what another program saves of packets that have its own mark', () => {
    const save = '-j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff\n';
    const writes = (match: string): number =>
      iptablesMarkWrites(`*mangle\n-A POSTROUTING ${match} ${save}`, 'gwmark-', 'gwmark-in').length;

    assert.equal(writes('-p udp -m mark --mark 0xca6c'), 0);
    assert.equal(writes('-p udp -m mark --mark 0x0'), 1);
    assert.equal(writes('-p udp'), 1);
  });
});
