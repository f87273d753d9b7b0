import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Gateway, Site } from '../../../rules/index.js';
import { compileNexthopStructure, compileRouting } from '../../../rules/index.js';
import { policy, world } from './arbitraries.js';
import { FULL_SITE, POLICY, gateway, site } from './sample-site.js';

const WITH_VACANCY: Site = {
  ...FULL_SITE,
  gateways: [1, 2, 3].map((id) => gateway(id)),
  vacancies: [{ id: 254, device: 'lan0' }],
};

describe('what is compiled for one more gateway', () => {
  const more: Site = { ...WITH_VACANCY, gateways: [...WITH_VACANCY.gateways, gateway(4)] };

  it('has the rules, routes and neighbours of the site before as the same objects', () => {
    const before = compileRouting(WITH_VACANCY);
    const after = compileRouting(more);

    for (const name of ['rules', 'routes', 'neighbours'] as const) {
      const known = new Set<unknown>(before[name]);
      // One for each family.
      assert.equal(after[name].filter((item) => !known.has(item)).length, 2, name);
    }
  });

  it('has the chains of the site before as the same objects', () => {
    const before = compileNexthopStructure(WITH_VACANCY);
    const after = compileNexthopStructure(more);

    const changed = [...after.chains].filter(([name, { rules }]) => before.chains.get(name)?.rules !== rules);
    assert.deepEqual(
      changed.map(([name]) => name),
      // Written from all gateways, so that it is compared word by word.
      ['about', 'learn_4', 'return_4', 'way_back_4'],
    );
  });

  it('follows a gateway that moved', () => {
    const moved: Gateway = { ...gateway(1), mac: '02:00:00:00:00:99' };
    const plan = compileRouting({ ...WITH_VACANCY, gateways: [moved] });

    assert.deepEqual(
      plan.neighbours.map(({ mac }) => mac),
      ['02:00:00:00:00:99', null, '02:00:00:00:00:99', null],
    );
  });
});

describe('what is compiled', () => {
  it('is the same whatever was compiled before', () => {
    fc.assert(
      fc.property(
        policy.chain((drawn) => fc.tuple(fc.constant(drawn), world(drawn), world(drawn))),
        ([, one, other]) => {
          const alone = [
            compileRouting(structuredClone(one.site)),
            compileNexthopStructure(structuredClone(one.site)),
          ];
          compileRouting(other.site);
          compileNexthopStructure(other.site);
          assert.deepEqual([compileRouting(one.site), compileNexthopStructure(one.site)], alone);
        },
      ),
    );
  });

  it('follows the policy, for the same gateways', () => {
    const plain = site({ gateways: WITH_VACANCY.gateways });
    const marks = (markMask: number): unknown =>
      compileRouting({ ...plain, policy: { ...POLICY, markMask } }).rules.find(({ table }) => table === 7711)?.fwmark;

    assert.deepEqual(
      [marks(0xff), marks(0xff00)],
      [
        { value: 1, mask: 0xff },
        { value: 0x100, mask: 0xff00 },
      ],
    );
  });
});
