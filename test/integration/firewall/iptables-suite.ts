/** What IptablesFirewall promises, on the fake and on each flavour of the kernel. */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Command, TableRef } from 'iptables-wrapper';
import type { ClientNetworkChange, IptablesRules } from '../../../rules/index.js';
import { compileIptablesModule, compileIptablesNexthop, networkKey } from '../../../rules/index.js';
import type { IptablesTools } from '../../../sidecar/firewall/iptables-firewall.js';
import { IptablesFirewall } from '../../../sidecar/firewall/iptables-firewall.js';
import type { World } from '../../unit/rules/arbitraries.js';
import { policy, world } from '../../unit/rules/arbitraries.js';
import { FULL_SITE, POLICY, gateway, network, site } from '../../unit/rules/sample-site.js';

export interface IptablesHarness {
  /** Empty tables and no sets. */
  open(): Promise<IptablesTools>;
  /** Changes tables as another program would, also what is ours. */
  disturb(tools: IptablesTools, commands: readonly Command[]): void;
  /** Processes cost time. */
  readonly runs: number;
}

const MANGLE4 = { family: 4, table: 'mangle' } as const;
const CLIENTS = ['198.51.100.2', '2001:db8:8::1000', '10.99.0.0/16', '10.99.3.0/24', '2001:db8:77::/64', '0.0.0.0/0'];

export function describeIptablesFirewall(title: string, harness: IptablesHarness): void {
  describe(`IptablesFirewall, ${title}`, function () {
    this.timeout(600_000);
    const full: World = {
      site: {
        ...FULL_SITE,
        subnetLengths: [
          { family: 4, prefixLength: 24 },
          { family: 4, prefixLength: 16 },
          { family: 4, prefixLength: 0 },
          { family: 6, prefixLength: 64 },
        ],
      },
      clients: CLIENTS.map(client),
    };
    const alike: World = { site: site({ gateways: [gateway(1), gateway(3)] }), clients: [client('198.51.100.3')] };

    it('leaves after a change what a fresh start makes, and nobody else’s rules are touched', async () => {
      await fc.assert(
        fc.asyncProperty(
          policy.chain((drawn) => fc.tuple(world(drawn), world(drawn))),
          async ([a, b]) => {
            const tools = await harness.open();
            harness.disturb(tools, [
              { append: { ...MANGLE4, chain: 'PREROUTING', rule: ['-i', 'other0', '-j', 'ACCEPT'] } },
            ]);
            const firewall = new IptablesFirewall(tools, POLICY.table);
            await bring(firewall, null, a);
            await bring(firewall, a, b);
            const changed = await dump(tools);
            await firewall.remove();
            assert.doesNotMatch(await dump(tools), /gwmark/);
            await bring(new IptablesFirewall(tools, POLICY.table), null, b);

            assert.equal(changed, await dump(tools));
            assert.match(changed, /other0/);
          },
        ),
        { numRuns: harness.runs },
      );
    });

    it('leaves the same after a run that takes over what another run left, whatever datapath that had', async () => {
      await fc.assert(
        fc.asyncProperty(fc.tuple(world(POLICY), world(POLICY)), fc.boolean(), async ([a, b], wasModule) => {
          const tools = await harness.open();
          await bring(new IptablesFirewall(tools, POLICY.table), null, a, wasModule);
          const heir = new IptablesFirewall(tools, POLICY.table);
          const installed = await heir.adopt(() => 'tun0');
          assert.deepEqual([...(installed?.clients.keys() ?? [])].toSorted(), a.clients.map(networkKey).toSorted());
          await bring(heir, a, b);
          const adopted = await dump(tools);
          await heir.remove();
          await bring(new IptablesFirewall(tools, POLICY.table), null, b);

          assert.equal(adopted, await dump(tools));
        }),
        { numRuns: harness.runs },
      );
    });

    it('reads from the kernel what must outlive the sidecar', async () => {
      const tools = await harness.open();
      await bring(new IptablesFirewall(tools, POLICY.table), null, full);

      const installed = await new IptablesFirewall(tools, POLICY.table).adopt(() => 'tun0');

      assert.deepEqual(
        [...(installed?.gateways ?? [])].toSorted(([a], [b]) => a - b),
        FULL_SITE.gateways.map(({ id, device, sources }) => [id, sources.map((mac) => ({ device, mac }))]),
      );
      assert.deepEqual(installed?.savedSysctls, FULL_SITE.savedSysctls);
      assert.deepEqual(installed?.transports, FULL_SITE.transports);
      assert.deepEqual([...(installed?.clients.keys() ?? [])].toSorted(), full.clients.map(networkKey).toSorted());
    });

    const damages: Readonly<Record<string, readonly Command[]>> = {
      'a rule of ours gone': [{ replace: { ...MANGLE4, chain: 'gwmark-select', rules: [] } }],
      'a foreign rule in a chain of ours': [{ insert: { ...MANGLE4, chain: 'gwmark-in', rule: ['-j', 'RETURN'] } }],
      'the way into a chain of ours gone': [{ unjump: { ...MANGLE4, chain: 'PREROUTING', target: 'gwmark-in' } }],
      'IPv6 emptied': [
        { unjump: { family: 6, table: 'mangle', chain: 'OUTPUT', target: 'gwmark-out' } },
        { destroy: { family: 6, table: 'mangle', chain: 'gwmark-out' } },
      ],
    };
    for (const [damage, commands] of Object.entries(damages)) {
      it(`notices ${damage}, and the next change repairs it`, async () => {
        const tools = await harness.open();
        const firewall = new IptablesFirewall(tools, POLICY.table);
        await bring(firewall, null, full);
        const before = await dump(tools);
        assert.equal((await firewall.inspect()).state, 'intact');

        harness.disturb(tools, commands);

        assert.equal((await firewall.inspect()).state, 'changed');
        assert.equal(firewall.needsFullRewrite, true);
        await bring(firewall, null, full);
        assert.equal(await dump(tools), before);
        assert.equal((await firewall.inspect()).state, 'intact');
      });
    }

    it('notices that all is gone, and that elements are', async () => {
      const tools = await harness.open();
      const firewall = new IptablesFirewall(tools, POLICY.table);
      await bring(firewall, null, full);
      const installed = new Map(full.clients.map((item) => [networkKey(item), item]));
      assert.equal(await firewall.differences(installed), 0);

      await tools.ipset.run([{ discard: { name: 'gwmark-client4', values: ['198.51.100.2'] } }]);
      assert.equal(await firewall.differences(installed), 1);

      await tools.iptables.sweep();
      assert.equal((await firewall.inspect()).state, 'missing');
      await bring(firewall, null, full);
      assert.equal(await firewall.differences(installed), 0);
    });

    it('writes only the chains that a change is about', async () => {
      const tools = await harness.open();
      const firewall = new IptablesFirewall(tools, POLICY.table);
      const written: string[] = [];
      const run = tools.iptables.run.bind(tools.iptables);
      tools.iptables.run = (commands, options) => {
        written.push(
          ...commands.flatMap((command) =>
            'replace' in command && command.replace.family === 4 ? [command.replace.chain] : [],
          ),
        );
        return run(commands, options);
      };
      await bring(firewall, null, alike);
      written.length = 0;

      await firewall.apply(
        rulesOf(firewall, { ...alike, site: { ...alike.site, gateways: [gateway(1), gateway(3), gateway(4)] } }),
        [],
      );

      assert.deepEqual(written, [
        'gwmark-learn-4',
        'gwmark-return-4',
        'gwmark-learn',
        'gwmark-transport',
        'gwmark-return',
      ]);
    });

    it('refuses chains of that name that are not ours, before it changes anything', async () => {
      const tools = await harness.open();
      await tools.iptables.run([{ create: { ...MANGLE4, chain: 'gwmark-theirs', rules: [['-j', 'ACCEPT']] } }]);
      const before = await dump(tools);

      await assert.rejects(
        new IptablesFirewall(tools, POLICY.table).adopt(() => ''),
        { name: 'GwmarkError', code: 'FIREWALL_CLASH' },
      );

      assert.equal(await dump(tools), before);
    });

    it('names a rule of others that sets bits of our mark, and minds no other mark', async () => {
      const tools = await harness.open();
      const firewall = new IptablesFirewall(tools, POLICY.table);
      harness.disturb(tools, [markRule('0x32/0xff')]);
      assert.deepEqual(await firewall.markClashes(POLICY), []);

      harness.disturb(tools, [markRule('0x1000000/0xffffffff')]);

      assert.deepEqual(await firewall.markClashes(POLICY), [
        'iptables chain PREROUTING (IPv4 mangle) sets mark bits of mark.mask (0xff000000): change mark.mask',
      ]);
    });
  });
}

function markRule(value: string): Command {
  return { append: { ...MANGLE4, chain: 'PREROUTING', rule: ['-j', 'MARK', '--set-xmark', value] } };
}

function client(text: string): World['clients'][number] {
  return { ...network(text), device: 'tun0' };
}

function rulesOf(firewall: IptablesFirewall, { site: wanted }: World, isModule = false): IptablesRules {
  return isModule ? compileIptablesModule(wanted, firewall.machine) : compileIptablesNexthop(wanted, firewall.machine);
}

/** Brings the kernel from one world to another, as the reconciler does. */
async function bring(firewall: IptablesFirewall, from: World | null, to: World, isModule = false): Promise<void> {
  const before = new Map((from?.clients ?? []).map((item) => [networkKey(item), item]));
  const after = new Map(to.clients.map((item) => [networkKey(item), item]));
  await firewall.apply(rulesOf(firewall, to, isModule), [
    ...[...before]
      .filter(([key]) => !after.has(key))
      .map(([, gone]): ClientNetworkChange => ({ op: 'remove', network: gone })),
    ...[...after]
      .filter(([key]) => !before.has(key))
      .map(([, fresh]): ClientNetworkChange => ({ op: 'add', network: fresh })),
  ]);
}

/** Both tables mangle and all sets, without counters and in one order. */
async function dump({ iptables, ipset }: IptablesTools): Promise<string> {
  const lines: string[] = [];
  for (const family of iptables.families) {
    const { chains } = await iptables.list({ family, table: 'mangle' } satisfies TableRef);
    for (const { name, rules } of chains)
      lines.push(`IPv${family} ${name}`, ...rules.map(({ words }) => `  ${words.join(' ')}`));
  }
  const sets = await ipset.list();
  return [
    ...lines,
    ...sets
      .map(
        ({ name, type, elements }) =>
          `${name} ${type} ${elements
            .map(({ value }) => value)
            .toSorted()
            .join()}`,
      )
      .toSorted(),
  ].join('\n');
}
