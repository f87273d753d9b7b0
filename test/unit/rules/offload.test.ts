import assert from 'node:assert/strict';
import type { Command } from 'nftables-json';
import {
  NOTHING,
  OFFLOAD_CHAIN,
  OFFLOAD_FLOWTABLE,
  RELEARNT_CHAIN,
  compileNexthopStructure,
  diffStructure,
  withoutFlowtables,
} from '../../../rules/index.js';
import { POLICY, site } from './sample-site.js';

const R1 = { id: 1, device: 'lan0', mac: '02:00:00:00:00:01', sources: ['02:00:00:00:00:01'] };
const R2 = { id: 2, device: 'lan0', mac: '02:00:00:00:00:02', sources: ['02:00:00:00:00:02'] };
const compile = (overrides: Parameters<typeof site>[0]): ReturnType<typeof compileNexthopStructure> =>
  compileNexthopStructure(site({ gateways: [R1, R2], offloads: true, ...overrides }));

/** The commands about flowtables, and those about the chain that fills ours: `delete flowtable`, `flush chain`. */
function aboutOffload(commands: readonly Command[]): string[] {
  return commands.flatMap((command) => {
    const [[verb, object] = ['', {}]] = Object.entries(command) as [string, object][];
    const [[kind, value] = ['', {}]] = Object.entries(object) as [string, { name?: string; chain?: string }][];
    return kind === 'flowtable' || value.name === OFFLOAD_CHAIN || value.chain === OFFLOAD_CHAIN
      ? [`${verb} ${kind}`]
      : [];
  });
}
const changes = (from: Parameters<typeof diffStructure>[1], to: Parameters<typeof diffStructure>[2]): string[] => {
  const { before, after } = diffStructure(POLICY.table, from, to);
  return aboutOffload([...before, ...after]);
};

describe('offloading', () => {
  it('needs the tunnels alone as devices, so that links teach and keep no MAC address', () => {
    const { flowtables } = compile({});

    assert.deepEqual(flowtables?.get(OFFLOAD_FLOWTABLE)?.devices, ['tun0']);
  });

  it('comes last in FORWARD, and clears our bits of the mark before the flow is given to the flowtable', () => {
    const chain = compile({}).chains.get(OFFLOAD_CHAIN);

    assert.deepEqual(chain?.base, { type: 'filter', hook: 'forward', prio: 0x7fff_ffff, policy: 'accept' });
    const adding = (chain?.rules ?? []).filter(({ expr }) => expr.some((statement) => 'flow' in statement));
    assert.ok(adding.length > 0);
    for (const { expr } of adding) {
      const kinds = expr.map((statement) => Object.keys(statement)[0]);
      assert.deepEqual(kinds.slice(-2), ['mangle', 'flow']);
    }
  });

  it('is in no rule of a site that does not offload, or has no tunnel, link or gateway', () => {
    for (const without of [{ offloads: false }, { tunnels: [] }, { links: [] }, { gateways: [] }]) {
      const { flowtables, chains } = compile(without);
      assert.equal(flowtables, undefined, JSON.stringify(without));
      assert.ok(!chains.has(OFFLOAD_CHAIN) && !chains.has(RELEARNT_CHAIN));
      assert.doesNotMatch(JSON.stringify([...chains]), /flow|relearnt/);
    }
  });

  it('adds the flowtable before the rules that fill it, and keeps it when a gateway comes', () => {
    assert.deepEqual(changes(NOTHING, compile({})).slice(0, 2), ['add chain', 'add flowtable']);
    const kept = changes(compile({ gateways: [R1] }), compile({}));
    assert.ok(!kept.includes('delete flowtable'), kept.join());
  });

  for (const [what, from, to] of [
    ['a gateway goes', {}, { gateways: [R1] }],
    ['the id of a gateway passes to another device', {}, { gateways: [R1, { ...R2, device: 'wan0' }] }],
  ] as const) {
    it(`recreates the flowtable when ${what}, in the transaction that takes it away`, () => {
      const done = changes(compile(from), compile(to));

      assert.deepEqual(done.slice(0, 4), ['flush chain', 'delete flowtable', 'add flowtable', 'add rule']);
    });
  }

  it('recreates a flowtable of unknown devices, as an earlier run left it', () => {
    const wanted = compile({});
    const left = {
      ...wanted,
      chains: new Map([...wanted.chains].map(([name, { base }]) => [name, { base, rules: null }] as const)),
      flowtables: new Map([[OFFLOAD_FLOWTABLE, { devices: null, dependencies: [] }]]),
    };

    assert.deepEqual(changes(left, wanted).slice(0, 3), ['flush chain', 'delete flowtable', 'add flowtable']);
  });

  it('leaves nothing when it ends', () => {
    assert.deepEqual(changes(compile({}), compile({ offloads: false })), [
      'flush chain',
      'delete flowtable',
      'flush chain',
      'delete chain',
    ]);
  });

  it('without flowtables has the same rules except for those that fill one', () => {
    const wanted = compile({});
    const { flowtables, chains } = withoutFlowtables(wanted);

    assert.equal(flowtables, undefined);
    assert.doesNotMatch(JSON.stringify([...chains]), /"flow"/);
    assert.deepEqual([...chains.keys()], [...wanted.chains.keys()]);
    assert.equal(chains.get('forward'), wanted.chains.get('forward'));
  });
});
