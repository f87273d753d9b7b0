import type { Link, RoutingPlan, Site, Structure } from '../../rules/index.js';
import type { ForgetOrder } from '../control/forget-order.js';
import type { MoveOrder } from '../control/move-order.js';
import type { Installed, RuleCounters } from '../firewall/firewall.js';
import type { GatewayStatus, StatusDocument } from '../status.js';
import type { UplinkNeed } from './uplink-seeker.js';

/** `nexthop` needs no kernel module; `module` is gwmark.ko. */
export type DatapathKind = StatusDocument['datapath'];

/** The packet filter rules and routing of a datapath for a site. */
export interface Compiled<Rules> {
  readonly rules: Rules;
  /** A second table, for frames that pass a bridge; null if nothing is inline. */
  readonly bridge: Structure | null;
  readonly routing: RoutingPlan;
}

/** What an earlier run left in the kernel. */
export interface EarlierRun {
  readonly table: Installed;
  readonly plan: RoutingPlan;
}

/**
 * How packets get to the MAC that their flow came from. Selection is the rules' business, and the same for every
 * datapath. `Rules` is what the packet filter takes, chosen when the datapath is made.
 */
export interface Datapath<Rules = unknown> {
  /** Why it does not work, in one sentence; null if it does. */
  readonly problem: string | null;
  /** Pure. */
  compile(site: Site): Compiled<Rules>;
  /**
   * Makes the kernel ready, and continues from what an earlier run left.
   *
   * @param earlier null: there was none
   * @throws GwmarkError if the kernel cannot be made ready
   */
  start(earlier: EarlierRun | null): Promise<void>;
  /**
   * Looks at what the packet path noted, and acts on it.
   *
   * @param need whether an OpenVPN client needs a router to send to
   * @param links devices on which gateways are learnt
   */
  poll(need: UplinkNeed, links: readonly Link[]): Promise<void>;
  /** Asks whether gateways are alive; call it once each `gateways.probeIntervalMs`. */
  probe(): Promise<void>;
  /** Resolves when nothing that it started runs any more. The kernel does not change. */
  close(): Promise<void>;
}

/** The kernel's counters for a datapath. */
export interface DatapathCounters {
  /** Packets of VPN flows that took the normal route, by reason. */
  readonly fallThrough: ReadonlyMap<string, number>;
  /** Every counter of the module; null for another datapath. */
  readonly module: ReadonlyMap<string, number> | null;
}

/** The known gateways, in the kernel or in this process. */
export interface GatewayView {
  /** Gateways that rules and routes are made for, and the one of last resort; none if the kernel keeps them. */
  readonly ofSite: Pick<Site, 'gateways' | 'uplink' | 'vacancies' | 'offloads'>;
  /** The id of the gateway of last resort; null while there is none. */
  readonly uplinkId: number | null;
  /** From the last reading. */
  readonly counters: DatapathCounters;
  status(): readonly GatewayStatus[];
  /** Reads the kernel's counters again. Rejects when the kernel cannot be read; the last ones stay then. */
  readCounters(): Promise<void>;
  /** Does what `gwmark move` asks for. False if there is no such gateway. @throws GwmarkError DATAPATH_FAILED */
  move(order: MoveOrder): Promise<boolean>;
  /** Does what `gwmark forget` asks for. False if there is no such gateway. @throws GwmarkError DATAPATH_FAILED */
  forget(order: ForgetOrder): Promise<boolean>;
}

/** A neighbour as the kernel reports it. */
export interface NeighbourState {
  readonly device: string;
  readonly address: string;
  /** Lower case, colons; null when the kernel forgot it or could not resolve it. */
  readonly mac: string | null;
}

/** A sender in the forwarding table of a bridge. */
export interface BridgedSender {
  /** The bridge. */
  readonly device: string;
  /** Lower case, colons. */
  readonly mac: string;
}

/** Learns routers from the neighbour table, and from what bridges learnt. */
export interface NeighbourListener {
  /** Sets the devices on which gateways are learnt. */
  setLinks(links: readonly Link[]): void;
  /** @param neighbours on these devices */
  heard(neighbours: readonly NeighbourState[]): void;
  /** @param senders whose frames passed a bridge that is one of these devices */
  bridged(senders: readonly BridgedSender[]): void;
}

/** Keeps the gateways in this process; only the datapath `nexthop` does, because the module keeps its own. */
export interface GatewayKeeper extends NeighbourListener {
  /** It needs counters now; reading them has a cost. */
  readonly wantsCounters: boolean;
  /** Takes what the rules counted. */
  counted(counters: RuleCounters): void;
  /** The rules are about to be replaced as a whole, with the sets that the packet path fills. */
  rewriting(): void;
}
