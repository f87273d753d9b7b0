import type { Family, Policy, RoutingDiff, RoutingPlan } from '../../rules/index.js';
import type { IpNeighbour } from './iproute.js';
import type { KernelEvent } from './neighbour-monitor.js';
import type { NeighbourQuestion } from './neighbour-questions.js';

/** A route of the table main to one device. */
export interface MainRoute {
  /** An address or a network. */
  readonly dst: string;
  readonly device: string;
  /** What it leads to is on the link: it has no next hop, and can be used. */
  readonly isOnlink: boolean;
}

export interface WatchOptions {
  /** The protocol number that our own neighbours have. */
  readonly protocol: number;
  readonly onEvent: (event: KernelEvent) => void;
  /** Events were lost, and are not any more: read what they would have told. */
  readonly onLost: (reason: string) => void;
  /** It watches no more; events in between are lost, so read everything again after another start. */
  readonly onEnd: (cause: Error) => void;
}

/**
 * The kernel's rules, routes and neighbours, of this network namespace: by netlink in this process, or by spawned `ip`.
 * The caller disposes it.
 */
export interface KernelRouting extends AsyncDisposable {
  readonly by: 'netlink' | 'ip';
  /** Everything with our protocol number, including routes of client networks. @throws GwmarkError ROUTING_FAILED */
  read(policy: Policy): Promise<RoutingPlan>;
  /**
   * Applies the additions of a difference. What comes before a refused one stays applied; reading and diffing again
   * then shows what is still missing.
   *
   * @throws GwmarkError ROUTING_FAILED naming the refused one
   */
  add(policy: Policy, diff: RoutingDiff): Promise<void>;
  /** Applies the removals of a difference. What is already gone with its device is no failure. @throws as `add` */
  remove(policy: Policy, diff: RoutingDiff): Promise<void>;
  /**
   * Asks the kernel where it would send packets of its own to these addresses.
   *
   * @returns the device by address; without addresses that have no route
   * @throws GwmarkError ROUTING_UNAVAILABLE when there is no `ip`
   */
  routesTo(family: Family, addresses: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /**
   * Reads routes of the table main, in memory that grows with what is returned: those to what is on a link, and all to
   * these tunnels. No default routes. A tunnel that is gone has none.
   *
   * @throws GwmarkError ROUTING_UNAVAILABLE, ROUTING_FAILED
   */
  mainRoutes(tunnels: readonly string[]): Promise<readonly MainRoute[]>;
  /** The neighbour table of one device, or of all. @throws GwmarkError ROUTING_UNAVAILABLE, ROUTING_FAILED */
  neighbours(device?: string): Promise<readonly IpNeighbour[]>;
  /** The entries of these addresses alone, which takes no time. Those that the table does not have are left out. */
  neighboursAt(device: string, addresses: readonly string[]): Promise<readonly IpNeighbour[]>;
  /**
   * Makes the kernel ask for addresses; the answers come as events. An entry that is gone, or whose device is, is no
   * failure: there is nobody to ask then.
   *
   * @throws GwmarkError ROUTING_UNAVAILABLE
   */
  ask(questions: readonly NeighbourQuestion[]): Promise<void>;
  /**
   * Watches neighbours, devices, addresses, routes and rules. Resolves when it does; the caller disposes the result,
   * before this.
   */
  watch(options: WatchOptions): Promise<AsyncDisposable>;
}
