import type { About, ClientNetwork, ClientNetworkChange, Policy } from '../../rules/index.js';

/** The sets that the packet path fills. */
export type SeenSet = 'candidates' | 'uplinks' | 'destinations';

/** A frame's source, or destination, as the packet path noted it. */
export interface SeenMac {
  readonly device: string;
  readonly mac: string;
  /** Seconds until it is forgotten: the most recently seen has the most. Null where that is not known. */
  readonly expiresSeconds: number | null;
}

/** A sender that got a vacant id by its first frame. */
export interface Taker {
  readonly id: number;
  readonly device: string;
  readonly mac: string;
}

/** What an earlier run left in the kernel, as far as it is needed to continue without a gap. */
export interface Installed extends Omit<About, 'layout'> {
  readonly clients: ReadonlyMap<string, ClientNetwork>;
  /** Gateway id -> source MACs that are learnt as it. */
  readonly gateways: ReadonlyMap<number, readonly { readonly device: string; readonly mac: string }[]>;
  readonly uplinks: readonly SeenMac[];
  /** Vacant id -> who took it; null: nobody. */
  readonly vacancies: ReadonlyMap<number, Pick<Taker, 'device' | 'mac'> | null>;
}

/** What a rule counted since it was written; both grow only. */
export interface Count {
  readonly packets: number;
  readonly bytes: number;
}

/** Counters of our rules. They restart when all rules are replaced. */
export interface RuleCounters {
  /** Gateway id -> packets of VPN flows that came from it. */
  readonly received: ReadonlyMap<number, Count>;
  /** Gateway id -> packets that were marked for it. */
  readonly sent: ReadonlyMap<number, Count>;
  /** Reason -> packets that took the normal route. */
  readonly fallThrough: ReadonlyMap<string, Count>;
  /** Frames by which a flow in the flowtable was learnt from another gateway; absent: that is not counted. */
  readonly relearnt?: number;
}

/** The result of one inspection of the kernel's rules. */
export interface FirewallReading {
  /** `intact`, or what another program did to our rules. */
  readonly state: 'intact' | 'missing' | 'changed';
  /** Null if they were not wanted, or the rules are gone. */
  readonly counters: RuleCounters | null;
}

/** What the packet path noted and counted by our rules. */
export interface PacketPath {
  /** What the rules counted; null when they are gone. Tells nothing about their state, so it may run beside a change. */
  readCounters(): Promise<RuleCounters | null>;

  /**
   * MACs that the packet path noted: the sources of frames that no gateway's rule knew, and of transport flows; in a
   * bridge table the destinations of captured frames, by port.
   */
  seenMacs(set: SeenSet): Promise<readonly SeenMac[]>;

  /** Who took vacant ids, and sent something in the last minute. */
  takers(policy: Pick<Policy, 'markMask'>): Promise<readonly Taker[]>;
}

/**
 * Our rules in the kernel's packet filter, whatever they say and whichever program they are made with.
 *
 * It keeps what it wrote, because a listing is not lossless; the listing only tells whether another program wrote too.
 */
export interface InstalledRules extends PacketPath {
  /**
   * Takes over what an earlier run left.
   *
   * @param deviceOf the tunnel device that leads to a client network; listings do not say it
   * @returns null when there is nothing
   * @throws GwmarkError FIREWALL_CLASH when what has our name is not ours
   */
  adopt(deviceOf: (address: string) => string): Promise<Installed | null>;

  /** True while the rules may differ from what was last written: the next change has to include every client. */
  readonly needsFullRewrite: boolean;

  /** Checks whether the rules are as we left them. If not, the next change replaces all of them. */
  inspect(options?: { readonly withCounters?: boolean }): Promise<FirewallReading>;

  /**
   * How many elements differ from what was written; 0 while the rules are not ours to judge. Costs time in proportion
   * to the clients.
   *
   * @param clients what was installed, by key of network
   */
  differences(clients: ReadonlyMap<string, ClientNetwork>): Promise<number>;

  /** Rules or elements were not what they should be: the next change replaces all of them. */
  invalidate(): void;

  /** What other programs' rules do with bits of our mark mask, one sentence each. */
  markClashes(policy: Policy): Promise<readonly string[]>;

  /** Removes everything of ours. Returns what was removed, in words. */
  remove(): Promise<readonly string[]>;
}

/** Flows in our flowtable, which pass neither rules nor routing. */
export interface OffloadedFlows {
  /** Why the kernel refused the flowtable when it was last written, in words; null if it has it, or none is wanted. */
  readonly refusal: string | null;
  /**
   * Makes every flow pass rules and routing once more before it is offloaded again: recreates the flowtable, in one
   * transaction. Never while rules are being applied. A flowtable that was refused is tried again.
   *
   * @returns false if none is wanted
   * @throws GwmarkError FIREWALL_FAILED; nothing has changed then
   */
  renew(): Promise<boolean>;
}

/** The same, and how to change them. `Rules` is what a site compiles to for this packet filter. */
export interface Firewall<Rules> extends InstalledRules {
  /**
   * Makes the kernel's rules what `rules` says, and the client sets what the changes say. The same object as before
   * means that only clients change.
   *
   * @param changes when `needsFullRewrite`, an `add` for every client network
   * @throws GwmarkError FIREWALL_FAILED
   */
  apply(rules: Rules, changes: Iterable<ClientNetworkChange>): Promise<void>;
}

/** How many keys are in one of two maps only. */
export function countDifferences(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): number {
  const missing = [...a.keys()].filter((key) => !b.has(key)).length;
  return missing + [...b.keys()].filter((key) => !a.has(key)).length;
}
