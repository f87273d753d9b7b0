import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { RoutingPlan } from '../../../rules/index.js';
import {
  EMPTY_DIFF,
  clientRoute,
  compileModuleRouting,
  compileRouting,
  diffRouting,
  isEmptyRoutingDiff,
  routeKey,
} from '../../../rules/index.js';
import { policy, world } from './arbitraries.js';
import { CLIENT_TRANSPORT, FULL_SITE, LAN, POLICY, TUNNEL, gateway, network, site } from './sample-site.js';

const twoPlans = policy
  .chain((drawn) => fc.tuple(world(drawn), world(drawn)))
  .map(([a, b]) => [planOf(a), planOf(b)] as const);

describe('diffRouting', () => {
  it('has nothing to say about a plan and itself', () => {
    fc.assert(
      fc.property(twoPlans, ([a]) => {
        assert.ok(isEmptyRoutingDiff(diffRouting(a, structuredClone(a))));
      }),
    );
    assert.ok(isEmptyRoutingDiff(EMPTY_DIFF));
  });

  it('applied to one plan makes it the other', () => {
    fc.assert(
      fc.property(twoPlans, ([a, b]) => {
        assert.deepEqual(contents(applied(a, diffRouting(a, b))), contents(b));
      }),
      { numRuns: 500 },
    );
  });

  it('takes nothing away that the wanted plan has', () => {
    fc.assert(
      fc.property(twoPlans, ([a, b]) => {
        const diff = diffRouting(a, b);
        const wanted = contents(b);
        for (const gone of [...diff.removeRules, ...diff.removeNeighbours]) assert.ok(!wanted.includes(textOf(gone)));
        const routes = new Set(b.routes.map(routeKey));
        for (const gone of diff.removeRoutes) assert.ok(!routes.has(routeKey(gone)));
      }),
    );
  });

  it('replaces one neighbour and nothing else when a gateway moves', () => {
    const before = compileRouting(site({ gateways: [gateway(1), gateway(2)], uplink: gateway(2) }));
    const after = compileRouting(
      site({ gateways: [gateway(1, { mac: '02:00:00:00:00:99' }), gateway(2)], uplink: gateway(2) }),
    );

    assert.deepEqual(diffRouting(before, after), {
      ...EMPTY_DIFF,
      setNeighbours: [
        { family: 4, address: '169.254.119.1', device: 'lan0', mac: '02:00:00:00:00:99' },
        { family: 6, address: 'fe80::6777:6d61:726b:1', device: 'lan0', mac: '02:00:00:00:00:99' },
      ],
    });
  });
});

describe('compileRouting', () => {
  it('never has two routes for one destination in one table, and no rule twice', () => {
    fc.assert(
      fc.property(policy.chain(world), (drawn) => {
        const plan = planOf(drawn);
        assert.equal(new Set(plan.routes.map(routeKey)).size, plan.routes.length);
        assert.equal(new Set(plan.rules.map(textOf)).size, plan.rules.length);
      }),
    );
  });

  it('stays within the numbers that the settings say are ours', () => {
    fc.assert(
      fc.property(policy.chain(world), ({ site: drawn }) => {
        const { routing } = drawn.policy;
        for (const { priority, table, suppressPrefixLength } of compileRouting(drawn).rules.filter(isLookup)) {
          assert.ok(
            (priority >= routing.priority && priority < routing.priority + 300) ||
              (priority >= routing.fallbackPriority && priority < routing.fallbackPriority + 16),
          );
          assert.ok(
            (table >= routing.tableBase && table <= routing.tableBase + 300) ||
              (table === 254 && suppressPrefixLength === 0),
          );
        }
      }),
    );
  });

  it('asks for marks under the mask only, and for a table that has a route to each', () => {
    fc.assert(
      fc.property(policy.chain(world), ({ site: drawn }) => {
        const plan = compileRouting(drawn);
        for (const rule of plan.rules) {
          if (rule.fwmark === undefined || !isLookup(rule)) continue;
          assert.equal(rule.fwmark.mask, drawn.policy.markMask);
          assert.ok(
            plan.routes.some(
              ({ family, table, destination }) =>
                family === rule.family && table === rule.table && destination === 'default',
            ),
          );
        }
      }),
    );
  });

  it('passes over the rules of all gateways at once for a packet without a mark', () => {
    const gateways = [1, 2, 3, 150].map((id) => gateway(id));
    const rules = compileRouting(site({ gateways })).rules.filter(({ family }) => family === 4);
    const marked = rules.filter((rule) => rule.fwmark !== undefined && isLookup(rule)).map(({ priority }) => priority);

    const [jump] = rules.filter((rule) => rule.goto !== undefined);

    assert.deepEqual(jump?.fwmark, { value: 0, mask: POLICY.markMask });
    assert.ok(
      marked.length === gateways.length &&
        marked.every((priority) => priority > (jump?.priority ?? Infinity) && priority < (jump?.goto ?? 0)),
    );
    assert.equal(
      rules.filter(({ priority }) => priority === jump?.goto).length,
      1,
      'the rule that it leads to is there',
    );
  });

  it('leaves IPv6 alone on a link that has none', () => {
    const plan = compileRouting(site({ links: [{ ...LAN, families: [4] }], gateways: [gateway(1)] }));

    assert.deepEqual(
      [...plan.rules, ...plan.neighbours].filter(({ family }) => family === 6),
      [],
    );
  });

  it('asks main before the table of client networks, but for its default route, and lets OpenVPN’s own packets go around', () => {
    const rules = compileRouting(site({ clientRouteFamilies: [4] })).rules.filter(
      ({ priority }) => priority > 10_255 && priority < 10_300,
    );

    assert.deepEqual(rules, [
      { family: 4, priority: 10_270, table: 0, iif: 'lo', ipproto: 'udp', sport: 1194, goto: 10_273 },
      { family: 4, priority: 10_271, table: 254, suppressPrefixLength: 0 },
      { family: 4, priority: 10_272, table: 7700 },
      { family: 4, priority: 10_273, table: 0 },
    ]);
  });

  it('keeps the endpoint’s own links out of the tunnels where rp_filter asks for these first', () => {
    const wide = { ...TUNNEL, connected: [network('192.0.0.0/8')] };

    const plan = compileRouting(site({ tunnels: [wide], links: [{ ...LAN, hasReversePathFilter: true }] }));

    assert.deepEqual(
      plan.routes.filter(({ table }) => table === 7703),
      [
        { family: 4, table: 7703, destination: '192.0.0.0/8', device: 'tun0' },
        { family: 4, table: 7703, destination: '192.0.2.0/24', device: '' },
      ],
    );
  });

  it('has rp_filter’s rule for the address of the link that it is on, and for no other', () => {
    const filtered = compileRouting(FULL_SITE).rules.filter(({ priority }) => priority === 40_004);

    assert.deepEqual(filtered, [
      { family: 4, table: 7702, priority: 40_004, from: '10.1.0.5', ipproto: 'udp', sport: 1194 },
      { family: 4, table: 7702, priority: 40_004, from: '10.1.0.5', ipproto: 'udp', sport: 1195 },
    ]);
  });
});

describe('the routing of the datapath module', () => {
  it('finds the route of a packet of OpenVPN again when its mark changed in mangle OUTPUT, where the kernel asks without ports', () => {
    const { rules } = compileModuleRouting(site());

    const rule = { table: 7702, iif: 'lo', priority: 40_002, fwmark: { value: 0x3200_0000, mask: 0xff00_0000 } };
    assert.deepEqual(
      rules.filter(({ fwmark }) => fwmark !== undefined),
      [4, 6].map((family) => ({ family, ...rule })),
    );
  });
});

describe('the routing of an OpenVPN client', () => {
  it('gives the socket of an OpenVPN client, which has no port yet, a route by where it sends to', () => {
    const rules = [compileRouting, compileModuleRouting].map((compile) =>
      compile(site({ transports: [CLIENT_TRANSPORT] })).rules.filter(({ to }) => to !== undefined),
    );

    const rule = {
      family: 4,
      table: 7702,
      iif: 'lo',
      priority: 40_002,
      to: '203.0.113.9',
      ipproto: 'udp',
      dport: [1194, 1194],
    };
    assert.deepEqual(rules, [[rule], [rule]]);
  });

  it('lets rp_filter find the way back of a server that a client sends to', () => {
    const { rules } = compileRouting(
      site({ transports: [CLIENT_TRANSPORT], links: [{ ...LAN, hasReversePathFilter: true }] }),
    );

    assert.deepEqual(
      rules.filter(({ priority }) => priority === 40_004),
      [{ family: 4, table: 7702, priority: 40_004, from: '192.0.2.5', to: '203.0.113.9' }],
    );
  });
});

/** False for `goto` and for the rule that one leads to. */
function isLookup({ table }: RoutingPlan['rules'][number]): boolean {
  return table !== 0;
}

/** The plan of a site with the routes of its clients. */
function planOf({
  site: drawn,
  clients,
}: {
  site: typeof FULL_SITE;
  clients: readonly Parameters<typeof clientRoute>[1][];
}): RoutingPlan {
  const plan = compileRouting(drawn);
  return {
    ...plan,
    routes: [...plan.routes, ...clients.map((client) => clientRoute(drawn, client)).filter((route) => route !== null)],
  };
}

/** The kernel in small: neighbours and routes by their key, rules as a set. */
function applied(plan: RoutingPlan, diff: ReturnType<typeof diffRouting>): RoutingPlan {
  const neighbours = new Map(plan.neighbours.map((item) => [neighbourKey(item), item]));
  const routes = new Map(plan.routes.map((item) => [routeKey(item), item]));
  const rules = new Map(plan.rules.map((item) => [textOf(item), item]));
  for (const item of diff.setNeighbours) neighbours.set(neighbourKey(item), item);
  for (const item of diff.setRoutes) routes.set(routeKey(item), item);
  for (const item of diff.addRules) {
    // The kernel refuses a rule that is there already.
    assert.ok(!rules.has(textOf(item)));
    rules.set(textOf(item), item);
  }
  for (const item of diff.removeRules) assert.ok(rules.delete(textOf(item)));
  for (const item of diff.removeRoutes) assert.ok(routes.delete(routeKey(item)));
  for (const item of diff.removeNeighbours) assert.ok(neighbours.delete(neighbourKey(item)));
  return { rules: [...rules.values()], routes: [...routes.values()], neighbours: [...neighbours.values()] };
}

function neighbourKey({ family, device, address }: RoutingPlan['neighbours'][number]): string {
  return `${family} ${device} ${address}`;
}

function contents(plan: RoutingPlan): string[] {
  return [...plan.rules, ...plan.routes, ...plan.neighbours].map(textOf).toSorted();
}

function textOf(item: object): string {
  return JSON.stringify(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
