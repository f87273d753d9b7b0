import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Command } from 'nftables-json';
import { FakeNftables } from 'nftables-json/testing';
import type { ClientNetwork, ClientNetworkChange, Structure } from '../../../rules/index.js';
import { NOTHING, clientCommands, compileNexthopStructure, diffStructure, networkKey } from '../../../rules/index.js';
import { policy, world } from './arbitraries.js';
import { FULL_SITE, POLICY, gateway, network, site } from './sample-site.js';

const twoWorlds = policy.chain((drawn) => fc.tuple(world(drawn), world(drawn)));

describe('diffStructure', () => {
  it('has nothing to say about a structure and itself', () => {
    fc.assert(
      fc.property(policy.chain(world), (drawn) => {
        const structure = compileNexthopStructure(drawn.site);
        assert.deepEqual(diffStructure('gwmark', structure, compileNexthopStructure(drawn.site)), {
          before: [],
          after: [],
        });
      }),
    );
  });

  it('applied to one table makes it the other, whatever the two sites and their clients are', async () => {
    await fc.assert(
      fc.asyncProperty(twoWorlds, async ([a, b]) => {
        const changed = new FakeNftables();
        await changed.run(transaction(NOTHING, compileNexthopStructure(a.site), [], a.clients));
        await changed.run(
          transaction(compileNexthopStructure(a.site), compileNexthopStructure(b.site), a.clients, b.clients),
        );
        const fresh = new FakeNftables();
        await fresh.run(transaction(NOTHING, compileNexthopStructure(b.site), [], b.clients));

        assert.deepEqual(await listed(changed), await listed(fresh));
      }),
      { numRuns: 200 },
    );
  });

  it('touches one element of each map, and the chains that they lead to, when a gateway comes', () => {
    const before = compileNexthopStructure(site({ gateways: [gateway(1)] }));
    const after = compileNexthopStructure(site({ gateways: [gateway(1), gateway(2)] }));

    const diff = diffStructure('gwmark', before, after);

    assert.deepEqual(diff.after, []);
    assert.deepEqual(diff.before.map(kindOf), [
      'add chain learn_2',
      'add chain return_2',
      'add chain way_back_2',
      'add rule learn_2',
      'add rule return_2',
      'add rule way_back_2',
      'add element gateways',
      'add element returns',
      'add element way_backs',
    ]);
  });

  it('touches only the map of sources when a gateway moves', () => {
    const before = compileNexthopStructure(site({ gateways: [gateway(1)] }));
    const after = compileNexthopStructure(
      site({ gateways: [gateway(1, { mac: '02:00:00:00:00:99', sources: ['02:00:00:00:00:99'] })] }),
    );

    assert.deepEqual(diffStructure('gwmark', before, after).before.map(kindOf), [
      'delete element gateways',
      'add element gateways',
    ]);
  });

  it('takes the elements of a map away before the chain that they lead to', () => {
    const diff = diffStructure(
      'gwmark',
      compileNexthopStructure(site({ gateways: [gateway(1)] })),
      compileNexthopStructure(site()),
    );

    assert.deepEqual(diff.before.map(kindOf), [
      'delete element gateways',
      'delete element returns',
      'delete element way_backs',
    ]);
    assert.deepEqual(diff.after.map(kindOf), [
      'flush chain learn_1',
      'flush chain return_1',
      'flush chain way_back_1',
      'delete chain learn_1',
      'delete chain return_1',
      'delete chain way_back_1',
    ]);
  });

  it('rewrites every chain of a table that an earlier run left, since a listing does not tell their rules', () => {
    const structure = compileNexthopStructure(FULL_SITE);
    const adopted = {
      ...structure,
      chains: new Map([...structure.chains].map(([name, chain]) => [name, { ...chain, rules: null }])),
    };

    const flushed = diffStructure('gwmark', adopted, structure)
      .before.map(kindOf)
      .filter((kind) => kind.startsWith('flush'));

    assert.deepEqual(
      flushed,
      [...structure.chains.keys()].map((name) => `flush chain ${name}`),
    );
  });
});

describe('clientCommands', () => {
  it('are one command a set and direction, however many clients there are', () => {
    const clients = Array.from({ length: 500 }, (_, index): ClientNetworkChange => ({
      op: 'add',
      network: { ...network(`10.64.${index >> 8}.${index & 255}`), device: 'tun0' },
    }));
    const leaving: ClientNetworkChange = { op: 'remove', network: { ...network('10.99.0.0/16'), device: 'tun0' } };

    const commands = clientCommands(POLICY.table, [...clients, leaving]);

    assert.deepEqual(commands.map(kindOf), ['add element client4', 'delete element subnet4_16']);
  });
});

function transaction(
  from: Structure,
  to: Structure,
  had: readonly ClientNetwork[],
  has: readonly ClientNetwork[],
): Command[] {
  const before = new Map(had.map((client) => [networkKey(client), client]));
  const after = new Map(has.map((client) => [networkKey(client), client]));
  const changes: ClientNetworkChange[] = [
    ...[...before]
      .filter(([key]) => !after.has(key))
      .map(([, client]) => ({ op: 'remove', network: client }) as const),
    ...[...after].filter(([key]) => !before.has(key)).map(([, client]) => ({ op: 'add', network: client }) as const),
  ];
  const diff = diffStructure('gwmark', from, to);
  return [...diff.before, ...clientCommands('gwmark', changes), ...diff.after];
}

/** Without handles; sets and chains by name, elements sorted, rules in their order. */
async function listed(nftables: FakeNftables): Promise<readonly string[]> {
  const objects = await nftables.list({ ruleset: null });
  const texts = objects.map((object) => ({
    rank: 'rule' in object ? `1 ${object.rule.chain}` : `0 ${JSON.stringify(object, withoutHandle)}`,
    text: JSON.stringify(object, withoutHandle),
  }));
  return texts.toSorted((a, b) => (a.rank === b.rank ? 0 : a.rank < b.rank ? -1 : 1)).map(({ text }) => text);
}

function withoutHandle(name: string, value: unknown): unknown {
  if (name === 'handle') return undefined;
  return name === 'elem' && Array.isArray(value) ? value.map((element) => JSON.stringify(element)).toSorted() : value;
}

/** `add element client4`, `flush chain learn`. */
function kindOf(command: Command): string {
  const [[verb, target] = ['', {}]] = Object.entries(command) as [
    string,
    Record<string, { name?: string; chain?: string }>,
  ][];
  const [[noun, object] = ['', {}]] = Object.entries(target);
  return `${verb} ${noun} ${object.chain ?? object.name ?? ''}`;
}
