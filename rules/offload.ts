import type { Statement } from 'nftables-json';
import { ourBits, matchOurBits, writeOurBits } from './mark-bits.js';
import { matchDevice, matchVpnDestinations } from './selection.js';
import type { ChainSpec, FlowtableSpec, RuleSpec, Structure } from './structure.js';
import { baseChain } from './structure.js';
import type { Policy, Site } from './world.js';
import { gatewayMark } from './world.js';

/** Holds flows with a gateway; its devices are the tunnels alone. */
export const OFFLOAD_FLOWTABLE = 'answers';

/** The chain that gives flows to {@link OFFLOAD_FLOWTABLE}; `offload` is a word of nft(8). */
export const OFFLOAD_CHAIN = 'offloading';

/** Counts frames by which a flow in the flowtable was learnt from another gateway than before. */
export const RELEARNT_CHAIN = 'relearnt';

/** The last in FORWARD: a packet that another chain drops does not come here. */
const LAST_PRIORITY = 0x7fff_ffff;

/** The flow is in a flowtable: bit IPS_OFFLOAD_BIT in linux/netfilter/nf_conntrack_common.h, for which nft has no name. */
const IPS_OFFLOAD = 1 << 14;

/**
 * What a site that offloads adds to the table; nothing for another, and while there is no tunnel, link or gateway.
 *
 * The flowtable has the tunnels alone, so what comes from a router passes rules and routing as before: it teaches, and
 * FORWARD sees it. Without the links, the kernel also keeps no MAC address in the flowtable (`nft_flowtable_find_dev()`
 * in `nft_dev_forward_path()`, net/netfilter/nft_flow_offload.c), so a gateway's permanent neighbour still decides
 * where packets go.
 */
export function compileOffload(site: Site): Pick<Structure, 'flowtables' | 'chains'> {
  const { offloads = false, tunnels, links, gateways } = site;
  if (!offloads || tunnels.length === 0 || links.length === 0 || gateways.length === 0) return { chains: new Map() };
  const flowtable: FlowtableSpec = {
    devices: tunnels.map(({ device }) => device).toSorted(),
    // A gateway that goes takes its route along, and another one may get its id.
    dependencies: gateways.map(({ id, device }) => `${id} ${device}`),
  };
  return {
    flowtables: new Map([[OFFLOAD_FLOWTABLE, flowtable]]),
    chains: new Map<string, ChainSpec>([
      [OFFLOAD_CHAIN, baseChain('forward', LAST_PRIORITY, offloadRules(site))],
      [RELEARNT_CHAIN, { base: {}, rules: [{ expr: [{ counter: null }] }] }],
    ]),
  };
}

/**
 * Of a packet from a tunnel to a link whose flow has a gateway. Its source must be a client that is served: the flows
 * of one that has left do not come back into the flowtable. What is for the VPN goes to no gateway.
 *
 * `flow add` asks for the route of the other direction with the mark of this packet, which must not lead to the
 * gateway: decision 0264.
 */
function offloadRules(site: Site): RuleSpec[] {
  const { policy, tunnels, links, gateways } = site;
  const marks = gateways.map(({ id }) => gatewayMark(policy, id));
  const [only] = marks;
  const add: Statement[] = [
    { match: { op: 'in', left: { ct: { key: 'state' } }, right: 'established' } },
    writeOurBits('meta', policy, 0),
    { flow: { op: 'add', flowtable: `@${OFFLOAD_FLOWTABLE}` } },
  ];
  return [
    { expr: [matchOurBits('ct', policy, '=='), { accept: null }] },
    { expr: [{ match: { op: '==', left: { meta: { key: 'iiftype' } }, right: 'ether' } }, { accept: null }] },
    { expr: [matchDevice(tunnels, '!='), { accept: null }] },
    { expr: [matchDevice(links, '!=', 'oifname'), { accept: null }] },
    {
      expr: [
        {
          match: {
            op: '!=',
            left: ourBits('ct', policy),
            right: marks.length === 1 && only !== undefined ? only : { set: marks },
          },
        },
        { accept: null },
      ],
    },
    ...matchVpnDestinations(site).map((match): RuleSpec => ({ expr: [match, { accept: null }] })),
    ...matchVpnDestinations(site, sourceOf).map((match): RuleSpec => ({ expr: [match, ...add] })),
  ];
}

function sourceOf(protocol: 'ip' | 'ip6'): {
  readonly payload: { readonly protocol: string; readonly field: string };
} {
  return { payload: { protocol, field: 'saddr' } };
}

/**
 * The rule of a chain that learns which notes that a flow has another gateway in the flowtable than the one whose frame
 * this is.
 */
export function noteRelearnt(policy: Pick<Policy, 'markMask'>, mark: number): RuleSpec {
  return {
    expr: [
      { match: { op: '!=', left: ourBits('ct', policy), right: { set: [0, mark] } } },
      { match: { op: '!=', left: { '&': [{ ct: { key: 'status' } }, IPS_OFFLOAD] }, right: 0 } },
      { jump: { target: RELEARNT_CHAIN } },
    ],
  };
}
