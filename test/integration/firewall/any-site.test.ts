/** Rules of random sites on the real kernel: what a change leaves is what a fresh start makes. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { openNftables, type Nftables } from 'nftables-json';
import type { ClientNetworkChange } from '../../../rules/index.js';
import { compileNexthopStructure, networkKey } from '../../../rules/index.js';
import { NftablesFirewall } from '../../../sidecar/firewall/nftables-firewall.js';
import type { World } from '../../unit/rules/arbitraries.js';
import { policy, world } from '../../unit/rules/arbitraries.js';
import { FULL_SITE, POLICY, gateway, site } from '../../unit/rules/sample-site.js';
import { elementsOf, nft, normalized, resetKernel } from './kernel.js';
import { client } from './rig.js';

const twoWorlds = policy.chain((drawn) => fc.tuple(world(drawn), world(drawn)));

describe('NftablesFirewall with the rules of any site', function () {
  this.timeout(60_000);
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

  it('leaves in the kernel after a change what a fresh start makes, and nobody else’s table is touched', async () => {
    await nft(
      `table inet bystander { set s { type ipv4_addr; elements = { 192.0.2.1 } }; chain c { type filter hook prerouting priority -150; ct mark set ct mark or 0x1; counter; }; }`,
    );
    await nft('table bridge bystander { chain c { type filter hook prerouting priority 0; policy accept; }; }');
    await fc.assert(
      fc.asyncProperty(twoWorlds, async ([a, b]) => {
        const others = await foreign(nftables);
        const firewall = new NftablesFirewall(nftables, POLICY.table);
        await bring(firewall, null, a);
        await bring(firewall, a, b);
        const changed = await normalized(nftables, POLICY.table);
        await firewall.remove();
        await bring(new NftablesFirewall(nftables, POLICY.table), null, b);
        const fresh = await normalized(nftables, POLICY.table);

        assert.deepEqual(changed, fresh);
        assert.deepEqual(await foreign(nftables), others);
        await nft('delete', 'table', 'inet', POLICY.table);
      }),
      { numRuns: 60 },
    );
  });

  it('leaves the same after a run that takes over what another run left', async () => {
    await fc.assert(
      fc.asyncProperty(policy, policy, fc.tuple(world(POLICY), world(POLICY)), async (before, after, [a, b]) => {
        await bring(new NftablesFirewall(nftables, POLICY.table), null, { ...a, site: { ...a.site, policy: before } });
        const heir = new NftablesFirewall(nftables, POLICY.table);
        const table = await heir.adopt(() => 'tun0');
        assert.deepEqual([...(table?.clients.keys() ?? [])].toSorted(), a.clients.map(networkKey).toSorted());
        const wanted = { ...b, site: { ...b.site, policy: after } };
        await bring(heir, a, wanted);
        const adopted = await normalized(nftables, POLICY.table);
        await heir.remove();
        await bring(new NftablesFirewall(nftables, POLICY.table), null, wanted);

        assert.deepEqual(adopted, await normalized(nftables, POLICY.table));
        await nft('delete', 'table', 'inet', POLICY.table);
      }),
      { numRuns: 40 },
    );
  });

  it('sees its own table as intact after every change, as changed by one foreign rule, and as missing', async () => {
    await fc.assert(
      fc.asyncProperty(policy.chain(world), async (drawn) => {
        const firewall = new NftablesFirewall(nftables, POLICY.table);
        await bring(firewall, null, drawn);
        assert.equal((await firewall.inspect()).state, 'intact');
        await nft('insert', 'rule', 'inet', POLICY.table, 'output', 'counter');
        assert.equal((await firewall.inspect()).state, 'changed');
        assert.equal(firewall.needsFullRewrite, true);
        await bring(firewall, null, drawn);
        assert.equal((await firewall.inspect()).state, 'intact');
        await nft('delete', 'table', 'inet', POLICY.table);
        assert.equal((await firewall.inspect()).state, 'missing');
      }),
      { numRuns: 25 },
    );
  });

  it('is not alarmed by what other programs do in their own tables', async () => {
    const firewall = new NftablesFirewall(nftables, POLICY.table);
    await bring(firewall, null, { site: FULL_SITE, clients: [client('198.51.100.2')] });

    for (let index = 0; index < 5; index += 1) {
      await nft('add', 'table', 'inet', `other${index}`);
      assert.equal((await firewall.inspect()).state, 'intact');
    }
  });

  it('changes nothing when the transaction is refused, and the next one starts from what there was', async () => {
    const firewall = new NftablesFirewall(nftables, POLICY.table);
    const structure = compileNexthopStructure(site());
    await firewall.apply(structure, [add('198.51.100.2')]);
    const before = await normalized(nftables, null);

    await assert.rejects(
      firewall.apply(compileNexthopStructure(site({ gateways: [gateway(1)] })), [
        add('198.51.100.3'),
        { op: 'remove', network: client('198.51.100.77') },
      ]),
      (error: unknown) => {
        assert.equal((error as { code: string }).code, 'FIREWALL_FAILED');
        assert.match((error as Error).message, /198\.51\.100\.77/, 'the message names the object');
        return true;
      },
    );

    assert.deepEqual(await normalized(nftables, null), before);
    await firewall.apply(compileNexthopStructure(site({ gateways: [gateway(1)] })), [add('198.51.100.3')]);
    assert.deepEqual(await elementsOf(nftables, POLICY.table, 'client4'), ['"198.51.100.2"', '"198.51.100.3"']);
  });

  it('refuses a table of that name that is not ours, before it changes anything', async () => {
    await nft(
      `table inet ${POLICY.table} { set client4 { type ipv4_addr; }; chain about { counter comment "something else"; }; }`,
    );
    const before = await normalized(nftables, null);

    await assert.rejects(
      new NftablesFirewall(nftables, POLICY.table).adopt(() => ''),
      { name: 'GwmarkError', code: 'FIREWALL_CLASH' },
    );

    assert.deepEqual(await normalized(nftables, null), before);
  });

  it('replaces a table of another layout as a whole, clients and all, and keeps what sysctls had been', async () => {
    await nft(
      `table inet ${POLICY.table} { set client4 { type ipv4_addr; elements = { 198.51.100.9 }; }; set old { type ipv4_addr; }; chain about { return comment "gwmark layout 0"; return comment "sysctl net/ipv4/ip_forward=0"; }; }`,
    );
    const firewall = new NftablesFirewall(nftables, POLICY.table);

    const table = await firewall.adopt(() => 'tun0');

    assert.equal(table?.owner, 'outdated');
    assert.deepEqual(table?.savedSysctls, [{ name: 'net/ipv4/ip_forward', value: '0' }]);
    assert.equal(firewall.needsFullRewrite, true);
    await firewall.apply(compileNexthopStructure(site()), [add('198.51.100.2')]);
    assert.deepEqual(await elementsOf(nftables, POLICY.table, 'client4'), ['"198.51.100.2"']);
    assert.doesNotMatch(await nft('list', 'sets'), /set old/);
  });

  it('counts 300 subnets in 12 lengths as what they are', async () => {
    const texts = Array.from({ length: 300 }, (_, index) => `10.${index % 250}.0.0/${16 + (index % 12)}`);
    const clients = [...new Map(texts.map((text) => [text, client(text)])).values()];
    const lengths = [...new Set(clients.map(({ prefixLength }) => prefixLength))].map(
      (prefixLength) => ({ family: 4, prefixLength }) as const,
    );
    const firewall = new NftablesFirewall(nftables, POLICY.table);

    await firewall.apply(
      compileNexthopStructure(site({ subnetLengths: lengths })),
      clients.map((network) => ({ op: 'add', network })),
    );

    const read = await firewall.readAll(() => 'tun0');
    assert.deepEqual([...(read?.clients.keys() ?? [])].toSorted(), clients.map(networkKey).toSorted());
  });
});

function add(text: string): ClientNetworkChange {
  return { op: 'add', network: client(text) };
}

/** Brings a table from one world to another, as the reconciler does. */
async function bring(firewall: NftablesFirewall, from: World | null, to: World): Promise<void> {
  const before = new Map((from?.clients ?? []).map((network) => [networkKey(network), network]));
  const after = new Map(to.clients.map((network) => [networkKey(network), network]));
  await firewall.apply(compileNexthopStructure(to.site), [
    ...[...before]
      .filter(([key]) => !after.has(key))
      .map(([, network]): ClientNetworkChange => ({ op: 'remove', network })),
    ...[...after]
      .filter(([key]) => !before.has(key))
      .map(([, network]): ClientNetworkChange => ({ op: 'add', network })),
  ]);
}

async function foreign(nftables: Nftables): Promise<readonly string[]> {
  return (await normalized(nftables, null)).filter((line) => line.includes('bystander'));
}
