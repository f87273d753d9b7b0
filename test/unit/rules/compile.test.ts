import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import * as fc from 'fast-check';
import type { ClientNetworkChange } from '../../../rules/index.js';
import {
  NOTHING,
  clientCommands,
  compileNexthopStructure,
  compileRouting,
  needsLegs,
  diffStructure,
  gatewayMark,
  highestGatewayId,
  originalComment,
  parseOriginalComment,
  parseTransportComment,
  transportComment,
} from '../../../rules/index.js';
import { markMask, policy, world } from './arbitraries.js';
import { CLIENT_TRANSPORT, FULL_SITE, POLICY, network, site } from './sample-site.js';
import { matchVpnDestinations } from '../../../rules/selection.js';

/**
 * The reviewed files; `UPDATE_GOLDEN=1 npm run test:unit` rewrites them, and the review is of what git shows then.
 */
const GOLDEN = new URL('../../../../test/unit/rules/golden/', import.meta.url);

describe('the compiled rules', () => {
  it('of the full site are those of golden/full-site.nft.json', () => {
    const clients = ['198.51.100.2', '2001:db8:8::1000', '10.99.3.0/24', '10.0.0.0/9', '2001:db8:77::/64'];
    const changes = clients.map((text): ClientNetworkChange => ({
      op: 'add',
      network: { ...network(text), device: 'tun0' },
    }));
    const { before, after } = diffStructure('gwmark', NOTHING, compileNexthopStructure(FULL_SITE));

    assertGolden('full-site.nft.json', [...before, ...clientCommands('gwmark', changes), ...after]);
  });

  it('of a site without links have nothing to learn from', () => {
    const { before } = diffStructure('gwmark', NOTHING, compileNexthopStructure(site({ links: [] })));

    assertGolden('no-links.nft.json', before);
  });

  it('of the full site come with the routing of golden/full-site.routing.json', () => {
    const plan = compileRouting(FULL_SITE);

    assertGolden('full-site.routing.json', [...plan.rules, ...plan.routes, ...plan.neighbours]);
  });

  it('of an OpenVPN client learn from what its server sends, and give what it sends its router back', () => {
    const { chains } = compileNexthopStructure(site({ transports: [CLIENT_TRANSPORT] }));
    const text = (name: string): string => JSON.stringify(chains.get(name)?.rules);

    assert.match(
      text('prerouting'),
      /"field":"sport"\}\},"right":1194.*"field":"saddr"\}\},"right":"203\.0\.113\.9".*"goto":\{"target":"transport"/,
    );
    assert.match(
      text('output'),
      /"field":"dport"\}\},"right":1194.*"field":"daddr"\}\},"right":"203\.0\.113\.9".*"@returns"/,
    );
    assert.deepEqual(parseTransportComment(transportComment(CLIENT_TRANSPORT)), CLIENT_TRANSPORT);
  });

  it('are the same bytes for the same site', () => {
    fc.assert(
      fc.property(policy.chain(world), (drawn) => {
        const again = structuredClone(drawn.site);
        const text = (value: typeof drawn.site): string =>
          JSON.stringify([diffStructure('gwmark', NOTHING, compileNexthopStructure(value)), compileRouting(value)]);
        assert.equal(text(drawn.site), text(again));
      }),
    );
  });

  it('are not changed by what they are compiled from being frozen', () => {
    assert.doesNotThrow(() => compileNexthopStructure(deepFreeze(structuredClone(FULL_SITE))));
    assert.doesNotThrow(() => compileRouting(deepFreeze(structuredClone(FULL_SITE))));
  });

  it('write only bits of the mask, and keep all others, in every mark that they set', () => {
    fc.assert(
      fc.property(policy.chain(world), ({ site: drawn }) => {
        const structure = compileNexthopStructure({ ...drawn, answersPathFilters: false });
        const marks = manglesOf(diffStructure('gwmark', NOTHING, structure));
        const kept = ~drawn.policy.markMask >>> 0;
        const own = drawn.tunnels.flatMap(({ addresses }) => addresses.filter(({ family }) => family === 4));
        const ofLegs = needsLegs(drawn.links)
          ? Math.min(drawn.tunnels.length, 1) +
            drawn.transports.filter(({ families }) => families.includes(4)).length +
            own.length
          : 0;
        // Of a packet that another program marked, of one that goes to its gateway, and of the endpoint's own to the VPN.
        // And of one whose flow is offloaded.
        const destinations = matchVpnDestinations(drawn).length;
        const cleared = 2 + destinations + (structure.flowtables === undefined ? 0 : destinations);
        assert.equal(marks.length, drawn.gateways.length * 3 + cleared + ofLegs);
        for (const { and, or } of marks) {
          assert.equal(and, kept);
          assert.equal((or & kept) >>> 0, 0);
        }
        assert.equal(marks.filter(({ or }) => or === 0).length, cleared);
      }),
    );
  });
});

describe('gatewayMark', () => {
  it('puts every id that fits into the mask, each in its own value', () => {
    fc.assert(
      fc.property(markMask, (mask) => {
        const highest = highestGatewayId(mask);
        const marks = Array.from({ length: highest }, (_, index) =>
          gatewayMark({ ...POLICY, markMask: mask }, index + 1),
        );
        assert.equal(new Set(marks).size, highest);
        assert.ok(marks.every((mark) => mark > 0 && (mark & ~mask) >>> 0 === 0));
        assert.equal(marks.at(-1), mask);
      }),
    );
  });

  it('is an unsigned number at the top of the mark', () => {
    assert.equal(gatewayMark(POLICY, 200), 0xc800_0000);
    assert.equal(highestGatewayId(0xff00_0000), 255);
    assert.equal(highestGatewayId(0xc000_0000), 3);
  });
});

describe('originalComment', () => {
  it('is read back as it was written', () => {
    for (const original of [
      { name: 'net/ipv6/conf/lan0.7/accept_ra', value: '1' },
      { name: 'net/ipv4/ip_forward', value: '' },
      { name: 'net/x', value: '4096\t87380 =' },
    ]) {
      assert.deepEqual(parseOriginalComment(originalComment(original)), original);
    }
    assert.equal(parseOriginalComment('gwmark layout 1'), null);
  });
});

function assertGolden(name: string, items: readonly unknown[]): void {
  // One item a line: a change shows as one line of a diff.
  const text = `[\n${items.map((item) => JSON.stringify(item)).join(',\n')}\n]\n`;
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(new URL(name, GOLDEN), text);
  assert.equal(
    text,
    readFileSync(new URL(name, GOLDEN), 'utf8'),
    `golden/${name} differs; see the head of this test for how to rewrite it`,
  );
}

interface Mangle {
  readonly and: number;
  readonly or: number;
}

/** The numbers of every `mark set mark & AND | OR`, and of `mark set mark & AND`. */
function manglesOf(value: unknown): Mangle[] {
  if (typeof value !== 'object' || value === null) return [];
  if ('mangle' in value) {
    const { value: set } = value.mangle as {
      value: { '|': [{ '&': [unknown, number] }, number] } | { '&': [unknown, number] };
    };
    return ['|' in set ? { and: set['|'][0]['&'][1], or: set['|'][1] } : { and: set['&'][1], or: 0 }];
  }
  return Object.values(value).flatMap(manglesOf);
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null)
    for (const part of Object.values(Object.freeze(value))) deepFreeze(part);
  return value;
}
