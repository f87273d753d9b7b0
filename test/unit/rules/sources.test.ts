import assert from 'node:assert/strict';
import {
  compileBridgeStructure,
  compileIptablesModule,
  compileIptablesNexthop,
  compileModuleStructure,
  compileNexthopStructure,
  isLearntFrom,
  type SourceFilter,
} from '../../../rules/index.js';
import { LAN, site } from './sample-site.js';

const A = '02:00:00:00:00:0a';
const B = '02:00:00:00:00:0b';
const NOBODY = { exclude: [], only: null };
const LINKS = [LAN, { ...LAN, device: 'lan1', onlink: [] }];

const withSources = (sources: SourceFilter): ReturnType<typeof site> => site({ links: LINKS, sources });
const iif = (device: string): unknown => ({ match: { op: '==', left: { meta: { key: 'iifname' } }, right: device } });
const from = (op: string, right: unknown): unknown => ({
  match: { op, left: { payload: { protocol: 'ether', field: 'saddr' } }, right },
});
const MACHINE = { families: [4, 6], hasMacSets: true } as const;

describe('rules for senders that are not learnt from', () => {
  const sources: SourceFilter = {
    clients: {
      exclude: [
        { device: null, mac: A },
        { device: 'lan1', mac: B },
      ],
      only: null,
    },
    transport: {
      exclude: [],
      only: [
        { device: 'lan0', mac: A },
        { device: 'lan0', mac: B },
      ],
    },
  };

  it('are in the chains of their scope, before anything is learnt', () => {
    const { chains } = compileNexthopStructure(withSources(sources));
    const before = chains.get('select')?.rules?.findIndex(({ expr }) => JSON.stringify(expr).includes('saddr')) ?? -1;

    assert.deepEqual(
      chains
        .get('select')
        ?.rules?.slice(before, before + 2)
        .map(({ expr }) => expr),
      [
        [from('==', A), { return: null }],
        [iif('lan1'), from('==', B), { return: null }],
      ],
    );
    assert.deepEqual(
      chains
        .get('transport')
        ?.rules?.slice(0, 2)
        .map(({ expr }) => expr),
      [
        [iif('lan0'), from('!=', { set: [A, B] }), { return: null }],
        [iif('lan1'), { return: null }],
      ],
    );
  });

  it('are the same with iptables', () => {
    const { chains } = compileIptablesNexthop(withSources(sources), MACHINE);
    const rulesOf = (name: string): readonly (readonly string[])[] =>
      chains.find((chain) => chain.family === 4 && chain.name === `gwmark-${name}`)?.rules ?? [];

    assert.deepEqual(
      rulesOf('select').filter((words) => words.includes('mac')),
      [
        ['-m', 'mac', '--mac-source', A, '-j', 'RETURN'],
        ['-i', 'lan1', '-m', 'mac', '--mac-source', B, '-j', 'RETURN'],
      ],
    );
    assert.deepEqual(rulesOf('transport').slice(0, 2), [
      ['-i', 'lan0', '-m', 'mac', '!', '--mac-source', A, '-m', 'mac', '!', '--mac-source', B, '-j', 'RETURN'],
      ['-i', 'lan1', '-j', 'RETURN'],
    ]);
  });

  it('let their packets go without the mark of the module, before others get it', () => {
    const rules = compileModuleStructure(withSources(sources)).chains.get('mark_prerouting')?.rules ?? [];
    const texts = rules.map(({ expr }) => JSON.stringify(expr));
    const at = (...parts: readonly unknown[]): number =>
      texts.findIndex((text) => parts.every((part) => text.includes(JSON.stringify(part))));

    const [transportExempt, transportMarked] = [at('dport', from('!=', { set: [A, B] })), at('dport', 'mangle')];
    const [clientsExempt, clientsMarked] = [at(from('==', A)), at('@client4', 'mangle')];
    assert.ok(transportExempt >= 0 && transportExempt < transportMarked, `${transportExempt} ${transportMarked}`);
    assert.ok(
      transportMarked < clientsExempt && clientsExempt < clientsMarked,
      'a list of one scope does not touch the other',
    );
  });

  it('leave their frames on an inline bridge', () => {
    const [first] =
      compileBridgeStructure(
        withSources({ clients: { exclude: [{ device: 'br0', mac: A }], only: null }, transport: NOBODY }),
        ['br0'],
      ).chains.get('prerouting')?.rules ?? [];

    assert.deepEqual(first?.expr, [
      { match: { op: '==', left: { meta: { key: 'ibrname' } }, right: 'br0' } },
      from('==', A),
      { accept: null },
    ]);
  });

  it('are none where there is no list', () => {
    const none = { clients: NOBODY, transport: NOBODY };
    assert.deepEqual(compileNexthopStructure(withSources(none)), compileNexthopStructure(site({ links: LINKS })));
    assert.deepEqual(compileModuleStructure(withSources(none)), compileModuleStructure(site({ links: LINKS })));
    assert.deepEqual(
      compileIptablesNexthop(withSources(none), MACHINE),
      compileIptablesNexthop(site({ links: LINKS }), MACHINE),
    );
    assert.deepEqual(
      compileIptablesModule(withSources(none), MACHINE),
      compileIptablesModule(site({ links: LINKS }), MACHINE),
    );
  });

  it('an empty list of those who may teach lets nobody in, and exclusion goes first', () => {
    assert.equal(isLearntFrom({ exclude: [], only: [] }, 'lan0', A), false);
    assert.equal(
      isLearntFrom({ exclude: [{ device: 'lan0', mac: A }], only: [{ device: null, mac: A }] }, 'lan0', A),
      false,
    );
    assert.equal(
      isLearntFrom({ exclude: [{ device: 'lan0', mac: A }], only: [{ device: null, mac: A }] }, 'lan1', A),
      true,
    );
  });
});
