import { NftError, openNftables } from 'nftables-json';

import type { ClientNetwork, Policy, RoutingPlan, Transport } from '../../rules/index.js';
import type { Settings } from '../config/settings.js';
import { fetchStatus } from '../control/client.js';
import { policyOf } from '../daemon/policy.js';
import { parseModuleFlow, parseModuleGateway, readRecords, type ModuleFlow, type ModuleGateway } from '../datapath/module/proc.js';
import { readRouting } from '../datapath/nexthop/plan.js';
import type { Devices } from '../discovery/devices.js';
import { readDevices } from '../discovery/devices.js';
import { readModule } from '../doctor/module-reading.js';
import { GwmarkError } from '../errors.js';
import { readTable } from '../firewall/table-reader.js';
import type { StatusDocument } from '../status.js';
import { type ConntrackEntry, entriesFrom } from '../system/conntrack-entries.js';
import type { IpDevice, IpRoute } from '../system/iproute.js';
import { ipJson } from '../system/iproute.js';
import type { TraceQuery } from './trace.js';

/** Everything that a trace is told from, as the kernel has it at one time. */
export interface TraceReading {
  readonly policy: Policy;
  readonly datapath: 'nexthop' | 'module';
  /** What stands under the name of our table. */
  readonly table: 'ours' | 'missing' | 'foreign';
  readonly clients: readonly ClientNetwork[];
  readonly transports: readonly Transport[];
  readonly devices: Devices;
  /** Every device, also those that are down. */
  readonly allDevices: readonly IpDevice[];
  readonly plan: RoutingPlan;
  /** Entries that the source opened, and those that the destination opened. */
  readonly entries: readonly ConntrackEntry[];
  readonly reverseEntries: readonly ConntrackEntry[];
  /** Of the module; empty with the datapath nexthop. */
  readonly moduleFlows: readonly ModuleFlow[];
  readonly moduleGateways: readonly ModuleGateway[];
  /** Null where no sidecar runs. */
  readonly status: StatusDocument | null;
}

/**
 * Reads it; needs CAP_NET_ADMIN.
 *
 * @throws GwmarkError FIREWALL_UNAVAILABLE, ROUTING_UNAVAILABLE, ROUTING_FAILED, CONNTRACK_UNAVAILABLE
 */
export async function readForTrace(settings: Settings, { source, destination }: TraceQuery): Promise<TraceReading> {
  const policy = policyOf(settings);
  const family = source.includes(':') ? 6 : 4;
  const [status, devices, allDevices, plan, installed, entries, reverseEntries] = await Promise.all([
    fetchStatus(settings.controlSocket).catch(() => null),
    readDevices(settings.devices),
    ipJson<IpDevice>(['addr', 'show']),
    readRouting(policy),
    readInstalled(settings),
    readEntries(family, source),
    readEntries(family, destination),
  ]);
  const hasModule = status === null ? settings.datapath !== 'nexthop' && (await readModule()).state === 'present' : status.datapath === 'module';
  return {
    policy,
    datapath: hasModule ? 'module' : 'nexthop',
    table: installed === null ? 'missing' : installed.owner === 'foreign' ? 'foreign' : 'ours',
    clients: [...(installed?.clients.values() ?? [])],
    transports: installed?.transports ?? [],
    devices,
    allDevices,
    plan,
    entries,
    reverseEntries,
    moduleFlows: hasModule ? (await readRecords('flows')).map(parseModuleFlow).filter((flow) => flow !== null) : [],
    moduleGateways: hasModule ? (await readRecords('gateways')).map(parseModuleGateway).filter((gateway) => gateway !== null) : [],
    status,
  };
}

/** How the kernel would route a packet; null with the reason where it would not. */
export type RouteAnswer = { readonly route: IpRoute } | { readonly refused: string };

/** A packet to look up: the answer that an endpoint forwards (`iif`) or sends itself. */
export interface RouteQuestion {
  readonly to: string;
  readonly from: string;
  readonly iif: string | null;
  readonly mark: number;
}

/** Asks `ip route get`, which sends nothing. */
export async function routeOf({ to, from, iif, mark }: RouteQuestion): Promise<RouteAnswer> {
  try {
    const [route] = await ipJson<IpRoute>(['-N', 'route', 'get', to, 'from', from, ...(iif === null ? [] : ['iif', iif]), 'mark', `0x${mark.toString(16)}`]);
    return route === undefined ? { refused: 'no route' } : { route };
  } catch (error) {
    if (error instanceof GwmarkError && error.code === 'ROUTING_FAILED') return { refused: error.message };
    throw error;
  }
}

async function readInstalled(settings: Settings): Promise<ReturnType<typeof readTable> | null> {
  try {
    await using nft = await openNftables({ executor: settings.executor });
    const tables = await nft.list({ tables: null });
    const isThere = tables.some((object) => 'table' in object && object.table.family === 'inet' && object.table.name === settings.table);
    return isThere ? readTable(await nft.list({ table: { family: 'inet', name: settings.table } }), () => '') : null;
  } catch (error) {
    if (error instanceof NftError) throw new GwmarkError('FIREWALL_UNAVAILABLE', `read nftables: ${error.message}`, { cause: error });
    throw error;
  }
}

async function readEntries(family: 4 | 6, source: string): Promise<readonly ConntrackEntry[]> {
  try {
    return await entriesFrom(family, source);
  } catch (error) {
    throw new GwmarkError('CONNTRACK_UNAVAILABLE', `list the connections of ${source}: ${(error as Error).message}`, { cause: error });
  }
}
