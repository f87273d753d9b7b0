import type { ClientNetwork, ClientNetworkChange, Policy, RoutingPlan, Site, Structure } from '../../rules/index.js';
import type { Compiled } from '../datapath/datapath.js';
import type { Firewall, FirewallReading, Installed, InstalledRules } from '../firewall/firewall.js';
import { countDifferences } from '../firewall/firewall.js';
import { isUnsupported } from '../firewall/unsupported.js';

/** A site in the terms of packet filter and routing. */
export interface CompiledSite {
  readonly routing: RoutingPlan;
  /** A table that it wants is not known to be as last written: `install` has to bring every client. */
  readonly needsEveryone: boolean;
  /**
   * Makes our tables what the site wants: one transaction a table. The same object as before means that only clients
   * change.
   *
   * @param changes clients that came and went
   * @param everyone an `add` for every client network, when `needsEveryone`
   * @throws GwmarkError FIREWALL_FAILED
   */
  install(changes: readonly ClientNetworkChange[], everyone: readonly ClientNetworkChange[]): Promise<void>;
}

/** What {@link RuleTables} keeps of a site: its rules are hidden in `apply`, so that no other program minds their type. */
interface Tables {
  readonly routing: RoutingPlan;
  readonly bridge: Structure | null;
  readonly apply: (changes: readonly ClientNetworkChange[]) => Promise<void>;
}

/**
 * Our tables in the packet filter: the one for packets, and beside it, where an endpoint is inline, the one for frames
 * that pass its bridge. They are adopted, inspected and changed together.
 */
export class RuleTables {
  readonly #main: InstalledRules;
  readonly #bridge: Firewall<Structure> | null;
  readonly #compile: (site: Site) => Tables;
  readonly #onUnsupported: ((error: Error) => void) | null;
  /**
   * `left`: by an earlier run, and not ours to judge before it is replaced or removed. `unsupported`: the kernel has no
   * such tables.
   */
  #bridgeState: 'none' | 'left' | 'installed' | 'unsupported' = 'none';

  private constructor(
    main: InstalledRules,
    bridge: Firewall<Structure> | null,
    compile: (site: Site) => Tables,
    onUnsupported: ((error: Error) => void) | null,
  ) {
    this.#main = main;
    this.#bridge = bridge;
    this.#compile = compile;
    this.#onUnsupported = onUnsupported;
  }

  /**
   * @param main made with nftables or with iptables, which decides the type of all rules
   * @param bridge null if the packet filter has no such table
   * @param compile what the datapath wants for a site, pure
   * @param onUnsupported the kernel refused the table for frames when it was new: it is not tried again, and the table
   *   for packets is in force, because an endpoint whose link is a bridge need not be inline. Null: that is a failure
   */
  static of<Rules>(
    main: Firewall<Rules>,
    bridge: Firewall<Structure> | null,
    compile: (site: Site) => Compiled<Rules>,
    onUnsupported: ((error: Error) => void) | null = null,
  ): RuleTables {
    const compileTables = (site: Site): Tables => {
      const { routing, bridge: frames, rules } = compile(site);
      return { routing, bridge: frames, apply: (changes) => main.apply(rules, changes) };
    };
    return new RuleTables(main, bridge, compileTables, onUnsupported);
  }

  /**
   * Takes over what an earlier run left. One that was killed between the two transactions left one table behind the
   * other: then the next change replaces the bridge table.
   *
   * @param deviceOf the tunnel device that leads to a client network; listings do not say it
   * @returns what the main table says; null when there is none
   * @throws GwmarkError FIREWALL_CLASH when what has our name is not ours
   */
  async adopt(deviceOf: (address: string) => string): Promise<Installed | null> {
    const main = await this.#main.adopt(deviceOf);
    const bridge = (await this.#bridge?.adopt(() => '')) ?? null;
    if (bridge === null) return main;
    this.#bridgeState = 'left';
    if (countDifferences(bridge.clients, main?.clients ?? new Map()) > 0) this.#bridge?.invalidate();
    return main;
  }

  /** True while a table that was installed is not known to be as last written. */
  get needsFullRewrite(): boolean {
    return (
      this.#main.needsFullRewrite || (this.#bridgeState === 'installed' && this.#bridge?.needsFullRewrite === true)
    );
  }

  /** Pure until it is installed. */
  compile(site: Site): CompiledSite {
    const tables = this.#compile(site);
    const needsEveryone = (): boolean =>
      this.#main.needsFullRewrite ||
      (tables.bridge !== null && this.#bridgeState !== 'unsupported' && this.#bridge?.needsFullRewrite === true);
    return {
      routing: tables.routing,
      get needsEveryone() {
        return needsEveryone();
      },
      install: (changes, everyone) => this.#install(tables, changes, everyone),
    };
  }

  /** Looks whether the tables are as we left them. When one is not, the next change replaces it as a whole. */
  async inspect(options: { readonly withCounters?: boolean } = {}): Promise<FirewallReading> {
    const main = await this.#main.inspect(options);
    const bridge = await this.#bridge?.inspect();
    return { state: main.state === 'intact' ? (bridge?.state ?? 'intact') : main.state, counters: main.counters };
  }

  /** How many elements differ from what was installed; 0 while the tables are not ours to judge. */
  async differences(clients: ReadonlyMap<string, ClientNetwork>): Promise<number> {
    const ofBridge = this.#bridgeState === 'installed' ? await this.#bridge?.differences(clients) : 0;
    return (await this.#main.differences(clients)) + (ofBridge ?? 0);
  }

  /** Rules or elements were not what they should be: the next change replaces all of them. */
  invalidate(): void {
    this.#main.invalidate();
    this.#bridge?.invalidate();
  }

  /** What other programs' rules do with bits of our mark mask, one sentence each. */
  markClashes(policy: Policy): Promise<readonly string[]> {
    return this.#main.markClashes(policy);
  }

  async #install(
    tables: Tables,
    changes: readonly ClientNetworkChange[],
    everyone: readonly ClientNetworkChange[],
  ): Promise<void> {
    await tables.apply(this.#main.needsFullRewrite ? everyone : changes);
    const bridge = this.#bridge;
    if (bridge === null || this.#bridgeState === 'unsupported') return;
    if (tables.bridge !== null) {
      const isNew = bridge.needsFullRewrite;
      try {
        await bridge.apply(tables.bridge, isNew ? everyone : changes);
        this.#bridgeState = 'installed';
      } catch (error) {
        if (this.#onUnsupported === null || !isNew || !isUnsupported(error)) throw error;
        this.#bridgeState = 'unsupported';
        this.#onUnsupported(error);
      }
    } else if (this.#bridgeState !== 'none') {
      await bridge.remove();
      this.#bridgeState = 'none';
    }
  }
}
