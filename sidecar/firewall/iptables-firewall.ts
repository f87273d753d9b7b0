import { setTimeout as delay } from 'node:timers/promises';
import type { Iptables, Ipset, ListedSet, SetCommand } from 'iptables-wrapper';
import { IptablesError, isNotFound } from 'iptables-wrapper';
import type { ClientNetwork, ClientNetworkChange, IptablesMachine, IptablesRules, Policy } from '../../rules/index.js';
import {
  NOTED_SECONDS,
  NO_IPTABLES_RULES,
  diffIptables,
  iptablesClientCommands,
  iptablesClientSets,
  iptablesElements,
  iptablesPrefix,
  iptablesSeenSet,
  iptablesSetName,
} from '../../rules/index.js';
import { GwmarkError } from '../errors.js';
import { markClash, notOurs } from './clash.js';
import type { Firewall, FirewallReading, Installed, RuleCounters, SeenMac, SeenSet, Taker } from './firewall.js';
import { countDifferences } from './firewall.js';
import type { InstalledChains, SourceRule } from './iptables-reader.js';
import { listChains, listSets, readClientSets } from './iptables-reader.js';

/** iptables-nft releases the sets of a removed rule slightly after the rule. */
const RELEASE_PATIENCE_MS = 2000;

/** The programs, opened; who opened them closes them. */
export interface IptablesTools {
  readonly iptables: Iptables;
  readonly ipset: Ipset;
  /** ipset has the type `hash:mac`. */
  readonly hasMacSets: boolean;
}

/**
 * Our chains in the tables mangle and our sets: rules of a family in one transaction, addresses in sets beside them.
 *
 * Sets are filled before a rule refers to them and go after it. What fails in between is rewritten as a whole.
 */
export class IptablesFirewall implements Firewall<IptablesRules> {
  readonly machine: IptablesMachine;
  readonly #iptables: Iptables;
  readonly #ipset: Ipset;
  readonly #table: string;
  #rules: IptablesRules = NO_IPTABLES_RULES;
  #fingerprint: string | null = null;
  /** (device, MAC) of transport flows -> what its rules counted, and when that had grown (monotonic milliseconds). */
  readonly #uplinks = new Map<
    string,
    { readonly rule: SourceRule; readonly packets: number; readonly seenAtMs: number }
  >();
  /** Devices that have a set of unknown MACs. */
  #devices: readonly string[] = [];

  /** @param tools borrowed */
  constructor(tools: IptablesTools, table: string) {
    this.#iptables = tools.iptables;
    this.#ipset = tools.ipset;
    this.#table = table;
    this.machine = { families: tools.iptables.families, hasMacSets: tools.hasMacSets };
  }

  async adopt(deviceOf: (address: string) => string): Promise<Installed | null> {
    const chains = await listChains(this.#iptables, this.#table);
    if (chains.owner === 'foreign') throw notOurs(`a chain of iptables named ${iptablesPrefix(this.#table)}*`);
    // Sets alone do nothing; they are filled again.
    if (chains.owner === 'none') return null;
    const sets = await listSets(this.#ipset, this.#table);
    if (chains.owner === 'ours') this.#rules = rulesOf(chains, sets);
    this.#note(chains.uplinkRules);
    return {
      clients: chains.owner === 'ours' ? readClientSets(sets, this.#table, deviceOf) : new Map(),
      savedSysctls: chains.savedSysctls,
      transports: chains.transports,
      gateways: chains.gateways,
      uplinks: await this.seenMacs('uplinks'),
      vacancies: new Map(),
      orders: chains.orders,
    };
  }

  get needsFullRewrite(): boolean {
    return this.#rules === NO_IPTABLES_RULES;
  }

  async apply(rules: IptablesRules, changes: Iterable<ClientNetworkChange>): Promise<void> {
    const isStructural = rules !== this.#rules;
    try {
      // Some of our rules may differ from what we wrote.
      const sets = this.needsFullRewrite ? await listSets(this.#ipset, this.#table) : [];
      const from = this.needsFullRewrite ? rulesOf(await listChains(this.#iptables, this.#table), sets) : this.#rules;
      const diff = isStructural ? diffIptables(from, rules) : { sets: [], rules: [], goneSets: [] };
      const elements = this.needsFullRewrite
        ? this.#fillCommands(sets, changes)
        : iptablesClientCommands(this.#table, changes, this.machine.families);
      await this.#ipset.run([...diff.sets, ...elements]);
      if (diff.rules.length > 0) await this.#iptables.run(diff.rules);
      await this.#destroySets(diff.goneSets);
    } catch (error) {
      if (!(error instanceof IptablesError)) throw error;
      // A part of the sets and rules may be installed.
      this.invalidate();
      throw new GwmarkError(
        'FIREWALL_FAILED',
        `apply rules with iptables (${this.#iptables.flavour}): ${error.message}`,
        { cause: error },
      );
    }
    this.#rules = rules;
    if (!isStructural) return;
    this.#devices = [
      ...new Set(
        rules.chains
          .flatMap(({ rules: words }) => words ?? [])
          .flatMap((words) => (words.includes('--add-set') ? (words[words.indexOf('-i') + 1] ?? []) : [])),
      ),
    ];
    await this.#rememberFingerprint();
  }

  /** Costs two processes, with or without counters. */
  async inspect(): Promise<FirewallReading> {
    if (this.needsFullRewrite) return { state: 'intact', counters: null };
    const chains = await listChains(this.#iptables, this.#table);
    if (chains.owner === 'none') {
      this.invalidate();
      return { state: 'missing', counters: null };
    }
    this.#note(chains.uplinkRules);
    const { counters, fingerprint } = chains;
    if (fingerprint === this.#fingerprint) return { state: 'intact', counters };
    this.invalidate();
    return { state: 'changed', counters };
  }

  async readCounters(): Promise<RuleCounters | null> {
    const { owner, counters } = await listChains(this.#iptables, this.#table);
    return owner === 'none' ? null : counters;
  }

  async differences(clients: ReadonlyMap<string, ClientNetwork>): Promise<number> {
    if (this.needsFullRewrite) return 0;
    const { families } = this.machine;
    const wanted = new Map([...clients].filter(([, { family }]) => families.includes(family)));
    const sets: ListedSet[] = [];
    for (const { name, type } of families.flatMap((family) => iptablesClientSets({ table: this.#table }, family))) {
      sets.push({ name, type, hasMarks: false, elements: await this.#elements(name) });
    }
    return countDifferences(
      wanted,
      readClientSets(sets, this.#table, () => ''),
    );
  }

  invalidate(): void {
    this.#rules = NO_IPTABLES_RULES;
    this.#fingerprint = null;
  }

  async seenMacs(set: SeenSet): Promise<readonly SeenMac[]> {
    const found: SeenMac[] = [];
    if (set === 'uplinks') {
      const nowMs = performance.now();
      found.push(
        ...[...this.#uplinks.values()]
          .map(({ rule: { device, mac }, seenAtMs }) => ({
            device,
            mac,
            expiresSeconds: NOTED_SECONDS.uplink - Math.round((nowMs - seenAtMs) / 1000),
          }))
          .filter(({ expiresSeconds }) => expiresSeconds > 0),
      );
    }
    if (this.#rules.notes !== set) return found;
    for (const device of this.#devices) {
      const elements = await this.#elements(iptablesSeenSet(this.#table, device));
      found.push(
        ...elements.map(({ value, timeoutSeconds }) => ({
          device,
          mac: value,
          expiresSeconds: timeoutSeconds ?? null,
        })),
      );
    }
    return found;
  }

  /** Rules of iptables give out no ids. */
  async takers(): Promise<readonly Taker[]> {
    return [];
  }

  async markClashes(policy: Policy): Promise<readonly string[]> {
    const clashes: string[] = [];
    for (const family of this.machine.families) {
      const { chains } = await this.#iptables.list({ family, table: 'mangle' });
      for (const { name, rules } of chains) {
        if (
          name.startsWith(iptablesPrefix(this.#table)) ||
          !rules.some(({ words }) => setsBits(words, policy.markMask))
        )
          continue;
        clashes.push(markClash(`iptables chain ${name} (IPv${family} mangle)`, policy));
      }
    }
    return clashes;
  }

  async remove(): Promise<readonly string[]> {
    const chains = await this.#iptables.sweep();
    const sets = (await listSets(this.#ipset, this.#table)).map(({ name }) => name);
    await this.#destroySets(sets);
    this.#rules = NO_IPTABLES_RULES;
    const prefix = iptablesPrefix(this.#table);
    const removed: string[] = [];
    if (chains.length > 0) removed.push(`${chains.length} chains ${prefix}* of iptables-${this.#iptables.flavour}`);
    if (sets.length > 0) removed.push(`${sets.length} sets ${prefix}* of ipset`);
    return removed;
  }

  async #elements(name: string): Promise<ListedSet['elements']> {
    try {
      return (await this.#ipset.list(name))[0]?.elements ?? [];
    } catch (error) {
      if (isNotFound(error)) return [];
      throw error;
    }
  }

  /**
   * What makes the client sets hold exactly what is added: what is right already stays, so that no rule ever sees a
   * set half full.
   */
  #fillCommands(existing: readonly ListedSet[], changes: Iterable<ClientNetworkChange>): SetCommand[] {
    const { families } = this.machine;
    const wanted = new Map(
      families
        .flatMap((family) => iptablesClientSets({ table: this.#table }, family))
        .map(({ name }) => [name, new Set<string>()]),
    );
    for (const { op, network } of changes) {
      const elements = wanted.get(iptablesSetName(this.#table, network));
      if (op === 'add') for (const value of iptablesElements(network)) elements?.add(value);
    }
    return [...wanted].flatMap(([name, values]) => {
      const known = new Set(existing.find((set) => set.name === name)?.elements.map(({ value }) => value));
      const discard = [...known].filter((value) => !values.has(value));
      const put = [...values].filter((value) => !known.has(value)).map((value) => ({ value }));
      return [
        ...(discard.length > 0 ? [{ discard: { name, values: discard } }] : []),
        ...(put.length > 0 ? [{ put: { name, elements: put } }] : []),
      ];
    });
  }

  async #destroySets(names: readonly string[]): Promise<void> {
    const untilMs = performance.now() + RELEASE_PATIENCE_MS;
    let left = names;
    while (left.length > 0) {
      try {
        await this.#ipset.run(left.map((name) => ({ destroy: { name } })));
        return;
      } catch (error) {
        if (!(error instanceof IptablesError) || error.index === undefined) throw error;
        // Those before it are gone.
        const isGone = error.code === 'ENOENT';
        left = left.slice(isGone ? error.index + 1 : error.index);
        if (isGone) continue;
        if (error.code !== 'EBUSY' || performance.now() > untilMs) throw error;
        await delay(20);
      }
    }
  }

  #note(rules: readonly SourceRule[]): void {
    const packets = new Map<string, { rule: SourceRule; packets: number }>();
    for (const rule of rules) {
      const key = `${rule.device} ${rule.mac}`;
      packets.set(key, { rule, packets: (packets.get(key)?.packets ?? 0) + rule.packets });
    }
    const nowMs = performance.now();
    for (const [key, counted] of packets) {
      // Counters start again with every change of rules.
      if (counted.packets > 0 && counted.packets !== this.#uplinks.get(key)?.packets)
        this.#uplinks.set(key, { ...counted, seenAtMs: nowMs });
    }
    for (const key of this.#uplinks.keys()) if (!packets.has(key)) this.#uplinks.delete(key);
  }

  /**
   * A listing that fails is no failure of the change: the next inspection finds the rules changed and replaces them.
   */
  async #rememberFingerprint(): Promise<void> {
    this.#fingerprint = await listChains(this.#iptables, this.#table).then(
      ({ fingerprint }) => fingerprint,
      () => null,
    );
  }
}

function rulesOf({ chains }: InstalledChains, sets: readonly ListedSet[]): IptablesRules {
  return {
    chains,
    // Only the names count here.
    sets: new Map(sets.map(({ name }) => [name, { name, type: 'hash:ip' }])),
    notes: 'candidates',
  };
}

/** A constant mark with one of the bits; iptables-save prints every form of it as value and mask. */
function setsBits(words: readonly string[], mask: number): boolean {
  const at = words.findIndex((word) => word === '--set-xmark' || word === '--set-mark');
  const value = Number(words[at + 1]?.split('/')[0] ?? 0);
  return at !== -1 && (value & mask) !== 0;
}
