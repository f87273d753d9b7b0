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

  it('passes over our own table and other keys', () => {
    assert.deepEqual(written({ mangle: { key: META, value: 1 } }, 'gwmark'), []);
    assert.deepEqual(written({ mangle: { key: { meta: { key: 'priority' } }, value: 1 } }), []);
  });
});

describe('iptablesMarkWrites', () => {
  it('reads the targets MARK and CONNMARK as iptables-save prints them', () => {
    const saved =
      '*mangle\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -j MARK --set-xmark 0x4000/0x4000\n-A OUTPUT -j CONNMARK --restore-mark --nfmask 0xff0000 --ctmask 0xff0000\n-A OUTPUT -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff\n-A OUTPUT -m mark --mark 0x1 -j ACCEPT\nCOMMIT\n*filter\n-A FORWARD -j MARK --set-xmark 0x1/0xffffffff\n';

    assert.deepEqual(iptablesMarkWrites(saved, 'gwmark-'), [
      { where: 'iptables chain mangle PREROUTING', touched: 0x4000, sets: 0x4000, copies: 0 },
      { where: 'iptables chain mangle OUTPUT', touched: 0xff0000, sets: 0, copies: 0xff0000 },
      { where: 'iptables chain mangle OUTPUT', touched: 0xffffffff, sets: 0, copies: 0xffffffff },
      { where: 'iptables chain filter FORWARD', touched: 0xffffffff, sets: 1, copies: 0 },
    ]);
  });

  it('passes over chains of our own', () => {
    assert.deepEqual(
      iptablesMarkWrites('*mangle\n-A gwmark-learn-1 -j CONNMARK --set-xmark 0x1000000/0xff000000\n', 'gwmark-'),
      [],
    );
  });
});
