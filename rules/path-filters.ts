import type { Statement } from 'nftables-json';
import {
  MAC_KEY,
  matchAddress,
  matchClients,
  matchDevice,
  matchDirection,
  matchTranslated,
  matchTransport,
  matchVpnDestinations,
  ORIGINAL_SOURCE,
} from './selection.js';
import { writeOurBits } from './mark-bits.js';
import type { ChainSpec, RuleSpec, SetSpec, VerdictElement } from './structure.js';
import { baseChain } from './structure.js';
import type { Gateway, Policy, Site } from './world.js';
import { gatewayMark } from './world.js';

/*
 * Other programs drop packets by rules whose way back leads over another device, or nowhere: firewalld does for IPv6,
 * NixOS for both families. Such a rule that asks with the packet's mark (`fib saddr . mark . iif`, `-m rpfilter
 * --validmark`) is answered here: a frame for the VPN gets the mark of its gateway before any such rule, whose table
 * has a route over the very device, and loses it again before routing. That costs every packet, so it is there only
 * where such a filter is.
 */

/** Before the table raw of iptables (NF_IP_PRI_RAW, -300), after defragmentation (-400): ports are visible. */
export const BEFORE_FILTERS = -301;
/** Behind connection tracking (NF_IP_PRI_CONNTRACK, -200), before the table mangle of iptables (-150). */
export const BEHIND_CONNTRACK = -199;
/** After all other rules in prerouting; routing comes next. */
export const AFTER_FILTERS = 1000;

/** A filter that gwmark can answer: it looks up with the mark, between our two chains. */
export function isAnswerable({
  asksWithMark,
  hook,
  priority,
}: {
  readonly asksWithMark: boolean;
  readonly hook: string;
  readonly priority: number;
}): boolean {
  return asksWithMark && hook === 'prerouting' && priority > BEFORE_FILTERS && priority < AFTER_FILTERS;
}

/**
 * Of those that can be answered: also for replies to flows of clients that the endpoint masquerades. Such a reply is for
 * the endpoint's own address, and connection tracking alone knows whose it is.
 */
export function isAnswerableBehindNat({ priority }: { readonly priority: number }): boolean {
  return priority > BEHIND_CONNTRACK;
}

/** What {@link compileNexthopStructure} adds for a site that has such a filter. */
export interface FilterAnswer {
  readonly sets: readonly (readonly [string, SetSpec])[];
  readonly chains: readonly (readonly [string, ChainSpec])[];
  readonly verdicts: readonly (readonly [string, ReadonlyMap<string, VerdictElement>])[];
}

/**
 * The chains that answer the filters of others; null if there is none.
 *
 * What comes out of a tunnel is for a filter to see without a mark: its gateway is not where its source is. So the
 * rules that write marks in prerouting are behind the filters, and no chain of ours is between them.
 *
 * @param prerouting these rules; the first of them clears the mark that a filter was answered with
 */
export function answerFilters(site: Site, prerouting: readonly RuleSpec[]): FilterAnswer | null {
  const { policy, links, gateways } = site;
  if (site.answersPathFilters !== true || links.length === 0) return null;
  const elements = gateways.flatMap(({ id, device, sources }) =>
    sources.map((mac) => ({ key: { concat: [device, mac] }, chain: answerChain(id) })),
  );
  return {
    sets: [['answers', { kind: 'map', spec: { type: ['ifname', 'ether_addr'], map: 'verdict' } }]],
    chains: [
      ['before_filters', baseChain('prerouting', BEFORE_FILTERS, beforeRules(site))],
      ['before_tracked_filters', baseChain('prerouting', BEHIND_CONNTRACK, maskedRules(site))],
      ['after_filters', baseChain('prerouting', AFTER_FILTERS, prerouting)],
      ['answer', { base: {}, rules: [...spoofed(site), { expr: [{ vmap: { key: MAC_KEY, data: '@answers' } }] }] }],
      ...gateways.map((gateway) => answerOf(policy, gateway)),
    ],
    verdicts: [['answers', new Map(elements.map((element) => [JSON.stringify(element.key), element]))]],
  };
}

/** `answer_7`: the chain that gives a filter the route to gateway 7. */
function answerChain(id: number): string {
  return `answer_${id}`;
}

function answerOf(policy: Policy, { id }: Gateway): readonly [string, ChainSpec] {
  return [answerChain(id), { base: {}, rules: [{ expr: [writeOurBits('meta', policy, gatewayMark(policy, id))] }] }];
}

/** Only for the VPN: the filter judges other traffic from distant hosts. */
function beforeRules(site: Site): RuleSpec[] {
  const fromLink = matchDevice(site.links);
  const goto: Statement = { goto: { target: 'answer' } };
  return [
    ...site.transports.map((transport) => {
      const [port, ...others] = matchTransport(transport);
      return { expr: [...(port === undefined ? [] : [port]), fromLink, ...others, goto] };
    }),
    ...matchVpnDestinations(site).map((match) => ({ expr: [match, fromLink, goto] })),
  ];
}

/** Replies to packets that clients send under an address of the endpoint (masqueraded). */
function maskedRules(site: Site): RuleSpec[] {
  const fromLink = matchDevice(site.links);
  return matchClients(site.subnetLengths, ORIGINAL_SOURCE).map((match) => ({
    expr: [matchTranslated('snat'), matchDirection('reply'), match, fromLink, { goto: { target: 'answer' } }],
  }));
}

/** The filter also judges hosts on a link that claim to be a client. */
function spoofed({ tunnels }: Site): RuleSpec[] {
  const clients = [matchAddress('ip', 'saddr', '@client4'), matchAddress('ip6', 'saddr', '@client6')];
  const networks = tunnels.flatMap(({ connected }) =>
    connected.map(({ family, address, prefixLength }): Statement => ({
      match: {
        op: '==',
        left: { payload: { protocol: family === 4 ? 'ip' : 'ip6', field: 'saddr' } },
        right: { prefix: { addr: address, len: prefixLength } },
      },
    })),
  );
  return [...clients, ...networks].map((match) => ({ expr: [match, { return: null }] }));
}
