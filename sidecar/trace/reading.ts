import { type NftObject, openNftables } from 'nftables-json';
import type { Family, Policy, RoutingPlan } from '../../rules/index.js';
import { gatewayMark } from '../../rules/index.js';
import type { Settings } from '../config/settings.js';
import { type SettingsInForce, settingsInForce } from '../control/settings-in-force.js';
import { statusOfSidecarHere } from '../control/sidecar-here.js';
import { linkWithoutDefault } from '../routing/default-routes.js';
import { namedTunnels, policyOf } from '../config/policy.js';
import { type ModuleGateway, parseModuleGateway, parseModuleStats, readRecords } from '../datapath/module/proc.js';
import { readRouting } from '../routing/plan.js';
import { type ProxyNeighbour, readProxyNeighbours } from '../routing/proxy-neighbours.js';
import type { Devices } from '../discovery/devices.js';
import { type BridgePort, readBridgePorts } from '../discovery/bridge-ports.js';
import { readDevices } from '../discovery/devices.js';
import { optionOf } from '../discovery/openvpn-options.js';
import { type ModuleReading, readModule } from '../datapath/module/module-reading.js';
import { viewServers } from '../doctor/server-view.js';
import type { PathFilter } from '../firewall/path-filters.js';
import { readPathFilters } from '../firewall/read-path-filters.js';
import { type ConntrackEntry, entriesFrom } from '../flows/conntrack-flows.js';
import type { Flow } from '../flows/flow.js';
import { moduleFlows } from '../flows/module-flows.js';
import type { StatusDocument } from '../status.js';
import type { IpDevice } from '../routing/iproute.js';
import { type IpsecPolicy, readIpsecPolicies } from '../routing/ipsec-policies.js';
import { ipJson } from '../routing/iproute.js';
import { readSysctl } from '../system/sysctl.js';
import { readTracedRules, type TracedRules } from './rules-reading.js';
import type { TraceQuery } from './trace.js';

/** A conntrack entry with the gateways that the datapath remembers for it; 0 for none. */
export type TracedFlow = ConntrackEntry & Pick<Flow, 'gateway' | 'destinationGateway'>;

/** What the kernel module says, and what of the kernel's own policy it keeps to. */
export interface TracedModule {
  readonly reading: ModuleReading;
  readonly gateways: readonly ModuleGateway[];
  /** Its counters by name. */
  readonly stats: ReadonlyMap<string, number>;
  /** Policies of IPsec for packets that leave. */
  readonly ipsec: readonly IpsecPolicy[];
  /** rp_filter of tunnels where it is in force: 1 or 2. */
  readonly strictTunnels: ReadonlyMap<string, number>;
}

/** Rules of other programs. */
export interface TracedOthers {
  readonly filters: readonly PathFilter[];
  /** The whole ruleset of nftables, sets without elements; empty if it cannot be read. */
  readonly ruleset: readonly NftObject[];
  /** The firewall of our own rules. */
  readonly firewall: 'nftables' | 'iptables';
  /** A link without a default route of the flow's family; null if there is none. */
  readonly strandedLink: string | null;
}

/** Everything that a trace is based on: the kernel's state at one time. */
export interface TraceReading {
  readonly policy: Policy;
  readonly datapath: 'nexthop' | 'module';
  readonly rules: TracedRules;
  readonly devices: Devices;
  /** Every device, also those that are down. */
  readonly allDevices: readonly IpDevice[];
  /** Tunnels from which packets of this family are not forwarded. */
  readonly unforwarded: ReadonlySet<string>;
  readonly plan: RoutingPlan;
  /** The addresses that the endpoint answers ARP and ND for; default: none. */
  readonly proxies?: readonly ProxyNeighbour[];
  /** Flows that the source opened, and flows that the destination opened, whoever the other end is. */
  readonly opened: { readonly bySource: readonly TracedFlow[]; readonly byDestination: readonly TracedFlow[] };
  /** What the rules of other programs do to the flow. */
  readonly others: TracedOthers;
  /** Ports of bridges that are up; none where no link is a bridge. */
  readonly ports: readonly BridgePort[];
  /** Null with the datapath nexthop. */
  readonly module: TracedModule | null;
  /** Null where no sidecar runs. */
  readonly status: StatusDocument | null;
  /**
   * A server answers from the address that was asked, although it is bound to none; null if options of OpenVPN
   * cannot be read.
   */
  readonly isMultihome?: boolean | null;
  /** The source of the settings that were used for reading. */
  readonly inForce: Pick<SettingsInForce, 'from' | 'differences'>;
  /** Names of the settings that keep frames of some senders from being learnt, if they are set. */
  readonly sourceLists: readonly ('gateways.exclude' | 'gateways.only')[];
}

/**
 * Reads it; needs CAP_NET_ADMIN. A running sidecar says by which datapath and marks it works, else the table does that
 * it left.
 *
 * @throws GwmarkError FIREWALL_UNAVAILABLE, ROUTING_UNAVAILABLE, ROUTING_FAILED, FLOWS_UNAVAILABLE, CONTROL_NAMESPACE
 */
export async function readForTrace(own: Settings, { source, destination }: TraceQuery): Promise<TraceReading> {
  const status = await statusOfSidecarHere(own.controlSocket);
  const { settings, ...inForce } = settingsInForce(own, status);
  const policy = { ...policyOf(settings), ...(status === null ? {} : { markMask: status.markMask }) };
  const [devices, allDevices, plan, rules, bySource, byDestination] = await Promise.all([
    readDevices(settings.devices, settings.inline, namedTunnels(settings)),
    ipJson<IpDevice>(['addr', 'show']),
    readRouting(policy),
    readTracedRules(settings, status),
    collect(entriesFrom(source)),
    collect(entriesFrom(destination)),
  ]);
  const datapath = status?.datapath ?? rules.datapath;
  const remembered = datapath === 'module' ? await readModuleFlows([source, destination]) : null;
  const withGateways = (entry: ConntrackEntry): TracedFlow => ({
    ...entry,
    ...(remembered === null ? gatewayOfMark(policy, entry) : gatewaysOfLabels(remembered, entry)),
  });
  return {
    policy,
    datapath,
    rules,
    devices,
    allDevices,
    unforwarded: await readUnforwarded(devices, source.includes(':')),
    plan,
    proxies: await readProxyNeighbours(policy.routing.protocol),
    opened: { bySource: bySource.map(withGateways), byDestination: byDestination.map(withGateways) },
    others: await readOthers(settings, rules, devices, source.includes(':') ? 6 : 4),
    ports: devices.links.some(({ isBridge }) => isBridge) ? await readBridgePorts() : [],
    module: datapath === 'module' ? await readTracedModule(devices) : null,
    status,
    isMultihome: await readMultihome(settings, status),
    inForce,
    sourceLists: (['exclude', 'only'] as const)
      .filter((list) => settings.gateways[list].length > 0)
      .map((list) => `gateways.${list}` as const),
  };
}

async function readOthers(
  settings: Settings,
  rules: TracedRules,
  { links }: Devices,
  family: Family,
): Promise<TracedOthers> {
  const nft = await openNftables({ executor: settings.executor }).catch(() => null);
  try {
    const ruleset = nft === null ? [] : await nft.list({ ruleset: null }, { terse: true });
    const filters = await readPathFilters(nft, settings.table);
    return {
      filters,
      ruleset,
      firewall: rules.name.startsWith('iptables') ? 'iptables' : 'nftables',
      strandedLink: await linkWithoutDefault(links, family),
    };
  } finally {
    await nft?.[Symbol.asyncDispose]();
  }
}

async function readMultihome(settings: Settings, status: StatusDocument | null): Promise<boolean | null> {
  const options = (await viewServers(settings, status)).map((server) => server.options);
  if (options.some((known) => known !== null && optionOf(known, 'multihome') !== undefined)) return true;
  return options.length === 0 || options.includes(null) ? null : false;
}

async function collect<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

function gatewayOfMark(policy: Policy, { mark }: ConntrackEntry): Pick<TracedFlow, 'gateway' | 'destinationGateway'> {
  return { gateway: Math.trunc(((mark & policy.markMask) >>> 0) / gatewayMark(policy, 1)), destinationGateway: 0 };
}

/** @param flows of the module; the one found is taken out */
function gatewaysOfLabels(
  flows: Flow[],
  { protocol, original }: ConntrackEntry,
): Pick<TracedFlow, 'gateway' | 'destinationGateway'> {
  const at = flows.findIndex(
    (candidate) =>
      candidate.protocol === protocol &&
      candidate.original.source === original.source &&
      candidate.original.destination === original.destination &&
      candidate.original.sourcePort === original.sourcePort &&
      candidate.original.destinationPort === original.destinationPort,
  );
  // Neither listing has the identifiers of ICMP: those that look the same are taken one by one.
  const [flow] = at < 0 ? [] : flows.splice(at, 1);
  return { gateway: flow?.gateway ?? 0, destinationGateway: flow?.destinationGateway ?? 0 };
}

/** A module that is not there, or of another ABI, remembers nothing; a step says so. */
async function readModuleFlows(openers: readonly string[]): Promise<Flow[]> {
  if ((await readModule()).state !== 'present') return [];
  const flows: Flow[] = [];
  for await (const flow of moduleFlows()) if (openers.includes(flow.original.source)) flows.push(flow);
  return flows;
}

async function readTracedModule({ tunnels }: Devices): Promise<TracedModule> {
  const reading = await readModule();
  const isPresent = reading.state === 'present';
  return {
    reading,
    gateways: (isPresent ? await readRecords('gateways') : [])
      .map(parseModuleGateway)
      .filter((gateway) => gateway !== null),
    stats: parseModuleStats(isPresent ? await readRecords('stats') : []),
    ipsec: await readIpsecPolicies(),
    strictTunnels: await readStrictTunnels(tunnels.map(({ device }) => device)),
  };
}

/** The larger of the device's value and that of `all` is in force. @see ip-sysctl.rst, rp_filter */
async function readStrictTunnels(tunnels: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const all = await readPathFilter('all');
  const values = await Promise.all(
    tunnels.map(async (device) => [device, Math.max(all, await readPathFilter(device))] as const),
  );
  return new Map(values.filter(([, value]) => value > 0));
}

async function readPathFilter(device: string): Promise<number> {
  return Number((await readSysctl(`net/ipv4/conf/${device}/rp_filter`)) ?? 0);
}

/** IPv6 asks the switch for all, IPv4 the one of the device. @see ip-sysctl.rst, forwarding */
async function readUnforwarded({ tunnels }: Devices, isIpv6: boolean): Promise<ReadonlySet<string>> {
  const values = await Promise.all(
    tunnels.map(async ({ device }) => ({
      device,
      value: await readSysctl(isIpv6 ? 'net/ipv6/conf/all/forwarding' : `net/ipv4/conf/${device}/forwarding`),
    })),
  );
  return new Set(values.filter(({ value }) => value === '0').map(({ device }) => device));
}
