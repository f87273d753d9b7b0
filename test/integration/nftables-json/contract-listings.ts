/** What every implementation of Nftables promises about listings. */
import assert from 'node:assert/strict';
import { isNotFound, type Nftables } from 'nftables-json';
import { addReferences, FAMILY, IN, refusal, TABLE } from './contract-fixture.js';

/** @param current the one that the running test has; it is empty at the beginning of each */
export function describeListings(current: () => Nftables): void {
  it('leaves elements out of terse listings of a table, a set and a map', async () => {
    const nftables = current();
    await addReferences(nftables);

    const listings = [
      await nftables.list({ table: TABLE }, { terse: true }),
      await nftables.list({ set: { ...IN, name: 'clients' } }, { terse: true }),
      await nftables.list({ map: { ...IN, name: 'policy' } }, { terse: true }),
    ];

    assert.deepEqual(
      listings.map((objects) => objects.length > 0),
      [true, true, true],
    );
    for (const object of listings.flat()) {
      assert.equal('set' in object ? object.set.elem : 'map' in object ? object.map.elem : undefined, undefined);
    }
  });

  it('lists one chain with its rules only', async () => {
    const nftables = current();
    await addReferences(nftables);

    const objects = await nftables.list({ chain: { ...IN, name: 'input' } });

    assert.deepEqual(
      objects.map((object) => Object.keys(object)[0]),
      ['chain', 'rule', 'rule', 'rule'],
    );
  });

  it('rejects listings of what does not exist with ENOENT, terse or not', async () => {
    const nftables = current();
    await nftables.run([{ add: { table: TABLE } }]);
    for (const terse of [false, true]) {
      for (const selector of [
        { table: { family: FAMILY, name: 'absent' } },
        { chain: { ...IN, name: 'absent' } },
        { set: { ...IN, name: 'absent' } },
        { map: { ...IN, name: 'absent' } },
        { set: { family: FAMILY, table: 'absent', name: 'absent' } },
        { counter: { ...IN, name: 'absent' } },
      ] as const) {
        assert.ok(isNotFound(await refusal(nftables.list(selector, { terse }))), JSON.stringify(selector));
      }
    }
  });
}
