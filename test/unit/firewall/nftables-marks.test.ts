import assert from 'node:assert/strict';
import { compileBridgeStructure, compileModuleStructure } from '../../../rules/index.js';
import { nftablesMarkClashes } from '../../../sidecar/firewall/nftables-marks.js';
import { FULL_SITE, POLICY } from '../rules/sample-site.js';

/** What a listing says of our rules under some table's name. */
function listed(family: 'inet' | 'bridge', table: string): Parameters<typeof nftablesMarkClashes>[1] {
  const { chains } =
    family === 'inet' ? compileModuleStructure(FULL_SITE) : compileBridgeStructure(FULL_SITE, ['br0']);
  return [...chains].flatMap(([chain, { rules }]) =>
    (rules ?? []).map(({ expr }) => ({ rule: { family, table, chain, expr: [...expr] } })),
  );
}

describe('marks that others set', () => {
  it('are not those of our own tables, of which an inline endpoint has two', () => {
    assert.deepEqual(
      nftablesMarkClashes(POLICY, [...listed('inet', POLICY.table), ...listed('bridge', POLICY.table)]),
      [],
    );
  });

  it('are those of any other table with bits of our mask', () => {
    const clashes = nftablesMarkClashes(POLICY, [...listed('inet', 'theirs'), ...listed('bridge', 'theirs')]);

    assert.ok(
      clashes.some((clash) => clash.startsWith('nftables chain inet theirs mark_prerouting sets mark bits')),
      clashes.join('\n'),
    );
    assert.ok(
      clashes.some((clash) => clash.startsWith('nftables chain bridge theirs prerouting sets mark bits')),
      clashes.join('\n'),
    );
  });
});
