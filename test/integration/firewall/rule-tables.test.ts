/** The table for packets and the one for frames that pass a bridge, on the real kernel. */
import assert from 'node:assert/strict';
import { isNotFound, openNftables, type Nftables } from 'nftables-json';
import type { Site, Structure } from '../../../rules/index.js';
import {
  compileBridgeStructure,
  compileModuleRouting,
  compileModuleStructure,
  networkKey,
} from '../../../rules/index.js';
import { NftablesFirewall } from '../../../sidecar/firewall/nftables-firewall.js';
import { RuleTables } from '../../../sidecar/kernel/rule-tables.js';
import { LAN, POLICY, site } from '../../unit/rules/sample-site.js';
import { nft, resetKernel } from './kernel.js';
import { client } from './rig.js';

const INLINE = site({ links: [{ ...LAN, device: 'br0', isBridge: true }] });

describe('RuleTables', () => {
  let nftables: Nftables;
  before(async () => {
    await resetKernel();
    nftables = await openNftables();
  });
  after(async () => {
    await nftables[Symbol.asyncDispose]();
    await resetKernel();
  });
  beforeEach(() => nft('flush', 'ruleset'));

  it('brings every client to a table that is new, and only the changes to one that is known', async () => {
    const tables = open();
    await install(tables, INLINE, ['198.51.100.2', '198.51.100.3']);
    const inline = tables.compile(INLINE);
    assert.equal(inline.needsEveryone, false);
    await inline.install([{ op: 'remove', network: client('198.51.100.2') }], []);

    for (const family of ['inet', 'bridge'] as const)
      assert.deepEqual(await elements(family), ['198.51.100.3'], family);
  });

  it('finds damage of either table, and replaces that one', async () => {
    for (const family of ['inet', 'bridge'] as const) {
      const tables = open();
      await install(tables, INLINE, ['198.51.100.2']);
      assert.equal((await tables.inspect()).state, 'intact');
      await nft('delete', 'table', family, POLICY.table);

      assert.equal((await tables.inspect()).state, 'missing', family);
      assert.equal(tables.needsFullRewrite, true, family);
      await install(tables, INLINE, ['198.51.100.2']);
      assert.equal((await tables.inspect()).state, 'intact');
      assert.equal(
        await tables.differences(new Map([client('198.51.100.2')].map((one) => [networkKey(one), one]))),
        0,
      );
    }
  });

  it('counts elements that are missing in either table', async () => {
    const clients = new Map([client('198.51.100.2')].map((one) => [networkKey(one), one]));
    for (const family of ['inet', 'bridge'] as const) {
      const tables = open();
      await install(tables, INLINE, ['198.51.100.2']);
      await nft('delete', 'element', family, POLICY.table, 'client4', '{ 198.51.100.2 }');

      assert.equal(await tables.differences(clients), 1, family);
      await nft('flush', 'ruleset');
    }
  });

  it('removes the table of frames when no bridge is a link any more', async () => {
    const tables = open();
    await install(tables, INLINE, ['198.51.100.2']);
    await tables.compile(site()).install([], []);

    assert.equal(await elements('bridge'), null);
    assert.deepEqual(await elements('inet'), ['198.51.100.2']);
  });

  it('takes over both tables of an earlier run without bringing every client again', async () => {
    await install(open(), INLINE, ['198.51.100.2']);
    const heir = open();
    const left = await heir.adopt(() => 'tun0');

    assert.deepEqual([...(left?.clients.keys() ?? [])], ['198.51.100.2']);
    assert.equal(heir.compile(INLINE).needsEveryone, false);
  });

  it('replaces a table of frames that an earlier run, killed in between, left behind the other', async () => {
    await install(open(), INLINE, ['198.51.100.2']);
    await nft('delete', 'element', 'bridge', POLICY.table, 'client4', '{ 198.51.100.2 }');
    const heir = open();
    await heir.adopt(() => 'tun0');

    assert.equal(heir.compile(INLINE).needsEveryone, true);
    await install(heir, INLINE, ['198.51.100.2']);
    assert.deepEqual(await elements('bridge'), ['198.51.100.2']);
  });

  it('removes a table of frames that an earlier run left, also one behind the other', async () => {
    for (const isBehind of [false, true]) {
      await install(open(), INLINE, ['198.51.100.2']);
      if (isBehind) await nft('delete', 'element', 'bridge', POLICY.table, 'client4', '{ 198.51.100.2 }');
      const heir = open();
      await heir.adopt(() => 'tun0');
      await install(heir, site(), ['198.51.100.2']);

      assert.equal(await elements('bridge'), null, `behind: ${isBehind}`);
    }
  });

  function open(): RuleTables {
    return RuleTables.of(
      new NftablesFirewall(nftables, POLICY.table),
      new NftablesFirewall(nftables, POLICY.table, 'bridge'),
      (wanted) => {
        const bridges = wanted.links.filter(({ isBridge }) => isBridge).map(({ device }) => device);
        return {
          rules: compileModuleStructure(wanted),
          bridge: bridges.length === 0 ? null : withoutRules(compileBridgeStructure(wanted, bridges)),
          routing: compileModuleRouting(wanted),
        };
      },
    );
  }

  /** Of the set `client4`; null where there is no such table. */
  async function elements(family: 'inet' | 'bridge'): Promise<readonly string[] | null> {
    try {
      const objects = await nftables.list({ set: { family, table: POLICY.table, name: 'client4' } });
      return objects.flatMap((object) => ('set' in object ? (object.set.elem ?? []).map(String) : [])).toSorted();
    } catch (error) {
      if (isNotFound(error)) return null;
      throw error;
    }
  }
});

/** Rules for frames ask for `meta ibrname`, which not every kernel has (NFT_BRIDGE_META); sets are all that counts. */
function withoutRules({ chains, ...structure }: Structure): Structure {
  const { rules: _rules, ...prerouting } = chains.get('prerouting') ?? { base: {} };
  return { ...structure, chains: new Map([...chains, ['prerouting', { ...prerouting, rules: [] }]]) };
}

/** As a pass does that has to bring every client. */
async function install(tables: RuleTables, wanted: Site, everyone: readonly string[]): Promise<void> {
  await tables.compile(wanted).install(
    [],
    everyone.map((text) => ({ op: 'add', network: client(text) })),
  );
}
