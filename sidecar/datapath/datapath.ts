import type { Gateway, Link, RoutingPlan, Site, Structure } from '../../rules/index.js';
import type { MoveOrder } from '../control/move-order.js';
import type { Installed, RuleCounters } from '../firewall/firewall.js';
import type { GatewayStatus } from '../status.js';
import type { SourceLists } from './source-lists.js';
import type { UplinkNeed } from './uplink-seeker.js';
import type { KernelEvent } from '../routing/neighbour-monitor.js';

/** What a datapath wants of the packet filter and of routing for a site. */
export interface Compiled<Rules> {
  readonly rules: Rules;
  /** A second table, for frames that pass a bridge; null where nothing is inline. */
  readonly bridge: Structure | null;
  readonly routing: RoutingPlan;
}

/**
 * How packets get to the MAC that their flow came from. Selection is the rules' business, and the same for every
 * datapath. `Rules` is what the packet filter takes, chosen when the datapath is made.
 */
export interface Datapath<Rules = unknown> {
  readonly kind: 'nexthop' | 'module';
  /** Why it does not work, in a sentence; null when it does. */
  readonly problem: string | null;
  /** Gateways that rules and routes are made for; none where the kernel keeps them itself. */
  readonly gateways: readonly Gateway[];
  /** The gateway of last resort among these. */
  readonly uplink: Gateway | null;
  /** Its id for the status, also where the kernel keeps it. */
  readonly uplinkId: number | null;

  /** Pure. */
  compile(site: Site): Compiled<Rules>;
  /** Takes over what an earlier run left, before `start`. */
  adopt(table: Installed, plan: RoutingPlan): void;
  /** Makes the kernel ready. @throws GwmarkError where it cannot be */
  start(): Promise<void>;
  /** The devices on which gateways are learnt are these from now on. */
  setLinks(links: readonly Link[]): Promise<void>;
  /** Takes the neighbour table as it is, after events may have been lost. */
  readNeighbours(): Promise<void>;
  take(event: KernelEvent & { kind: 'neighbour' }): void;
  /** Looks at what the packet path noted. */
  poll(): Promise<void>;
  /** It has a use for counters now; reading them is not quite free. */
  readonly wantsCounters: boolean;
  /** What the rules counted. */
  counted(counters: RuleCounters): void;
  /**
   * Reads the kernel's counters anew, for everything below. Rejects when the kernel cannot be read; the last ones stay
   * then.
   */
  readCounters(): Promise<void>;
  /** Packets of VPN flows that took the normal route, by reason. */
  readonly fallThrough: ReadonlyMap<string, number>;
  /** Every counter of the module; null for another datapath. */
  readonly moduleCounters: ReadonlyMap<string, number> | null;
  status(): readonly GatewayStatus[];
  /** Whose frames are learnt from. */
  readonly sources: SourceLists;
  /** Does what `gwmark move` asks for. False where there is no such gateway. @throws GwmarkError DATAPATH_FAILED */
  move(order: MoveOrder): Promise<boolean>;
  /** Whether an OpenVPN client needs a router to send to; acted on by `poll`. */
  need(uplink: UplinkNeed): void;
}
