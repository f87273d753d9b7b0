import assert from 'node:assert/strict';
import { compileNexthopStructure, compileRouting, diffStructure, NOTHING } from '../../../rules/index.js';
import { POLICY, gateway, site } from './sample-site.js';

const VACANCIES = [
  { id: 5, device: 'lan0' },
  { id: 3, device: 'lan0' },
];

describe('vacancies', () => {
  const structure = compileNexthopStructure(site({ gateways: [gateway(1)], uplink: null, vacancies: VACANCIES }));
  const textOf = (chain: string): string[] =>
    (structure.chains.get(chain)?.rules ?? []).map((rule) => JSON.stringify(rule.expr));

  it('come after the known routers and before the last rule, the oldest first', () => {
    const learn = textOf('learn');

    assert.equal(learn.length, 4);
    assert.match(learn[0] ?? '', /@gateways/);
    assert.match(learn[1] ?? '', /@vacant_5/);
    assert.match(learn[2] ?? '', /@vacant_3/);
    assert.match(learn[3] ?? '', /@candidates/);
  });

  it('have room for one router each', () => {
    for (const name of ['vacant_5', 'vacant_3']) {
      const set = structure.sets.get(name);
      assert.equal(set?.kind === 'set' ? set.spec.size : null, 1);
      assert.equal(set?.kind === 'set' ? set.spec.timeout : null, undefined);
    }
  });

  it('hold a limited number of answers, and count the others with those that have no gateway', () => {
    const [held = '', others = ''] = textOf('return_5');

    assert.match(held, /"limit":\{"rate":1,"per":"day","burst":100\}.*"meta".*83886080/);
    assert.match(others, /no_gateway/);
    assert.deepEqual(structure.verdicts.get('returns')?.get('83886080'), { key: 83_886_080, chain: 'return_5' });
  });

  it('have a rule and a route like a gateway, and a neighbour without a MAC', () => {
    const plan = compileRouting(site({ gateways: [], uplink: null, vacancies: VACANCIES }));

    assert.deepEqual(
      plan.neighbours.filter(({ family }) => family === 4),
      [
        { family: 4, address: '169.254.119.5', device: 'lan0', mac: null },
        { family: 4, address: '169.254.119.3', device: 'lan0', mac: null },
      ],
    );
    for (const { id } of VACANCIES)
      assert.ok(plan.rules.some(({ table }) => table === POLICY.routing.tableBase + 10 + id));
  });

  it('leave their set when a router has the id, and nothing of another vacancy is written again', () => {
    const after = compileNexthopStructure(
      site({ gateways: [gateway(1), gateway(5)], uplink: null, vacancies: VACANCIES.slice(1) }),
    );

    const { before, after: last } = diffStructure('gwmark', structure, after);

    assert.ok(JSON.stringify(last).includes('vacant_5'));
    assert.ok(!JSON.stringify(last).includes('vacant_3'));
    const added = before.filter((command) => 'add' in command && 'set' in command.add);
    assert.deepEqual(added, []);
    assert.notEqual(diffStructure('gwmark', NOTHING, after).before.length, 0);
  });
});
