import type { Command } from './command.js';
import type { IptablesErrorCode } from './iptables-error.js';
import { BUILT_IN_CHAINS, ruleTarget, type ListedTable, type RuleWords, type TableName } from './table.js';
import { joinWords } from './words.js';

/** Why the model rejects a command; without a place, which only the caller knows. */
export class ModelRefusal extends Error {
  readonly code: IptablesErrorCode;

  constructor(code: IptablesErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

interface ModelChain {
  readonly policy: string | null;
  readonly rules: RuleWords[];
}

/**
 * One table with what iptables knows of it: chains, their rules as words, and which chain leads to which.
 *
 * Commands are translated on it into lines of iptables-restore. That is how a jump knows where it is, why a
 * refusal of iptables-legacy, which names no reason, gets one, and what the fake is made of. What a word means it does
 * not know.
 */
export class TableModel {
  readonly #prefix: string;
  readonly #chains = new Map<string, ModelChain>();

  constructor(table: TableName, listed: ListedTable | undefined, prefix: string) {
    this.#prefix = prefix;
    for (const name of BUILT_IN_CHAINS[table]) this.#chains.set(name, { policy: 'ACCEPT', rules: [] });
    for (const { name, policy, rules } of listed?.chains ?? [])
      this.#chains.set(name, { policy, rules: rules.map(({ words }) => words) });
  }

  /** Chains in the order in which iptables-save lists them: built-in ones, then the others by name. */
  list(table: TableName): ListedTable {
    const [builtIn, made] = [
      [...this.#chains].filter(([, { policy }]) => policy !== null),
      [...this.#chains].filter(([, { policy }]) => policy === null),
    ];
    const ordered = [...builtIn, ...made.toSorted(([a], [b]) => (a < b ? -1 : 1))];
    const none = { packets: 0n, bytes: 0n };
    return {
      name: table,
      chains: ordered.map(([name, { policy, rules }]) => ({
        name,
        policy,
        counters: none,
        rules: rules.map((words) => ({ words: [...words], counters: none })),
      })),
    };
  }

  /**
   * Applies one command and returns the equivalent lines for iptables-restore.
   *
   * @throws ModelRefusal; the model is then of no further use
   */
  apply(command: Command): string[] {
    if ('create' in command) return this.#create(command.create.chain, command.create.rules);
    if ('replace' in command) return this.#replace(command.replace.chain, command.replace.rules);
    if ('delete' in command) return this.#delete(command.delete.chain);
    if ('destroy' in command)
      return this.#chains.has(command.destroy.chain) ? this.#delete(command.destroy.chain) : [];
    if ('append' in command) return [this.#add('-A', command.append.chain, command.append.rule)];
    if ('insert' in command) return [this.#add('-I', command.insert.chain, command.insert.rule)];
    if ('remove' in command) return [this.#remove(command.remove.chain, command.remove.rule)];
    if ('jump' in command) {
      const { chain, target, at, match = [] } = command.jump;
      return this.#jump(chain, target, at, [...match, '-j', target]);
    }
    return this.#unjump(command.unjump.chain, command.unjump.target);
  }

  #create(name: string, rules: readonly RuleWords[]): string[] {
    if (this.#chains.has(name)) throw new ModelRefusal('EEXIST', 'chain already exists');
    this.#chains.set(name, { policy: null, rules: [] });
    return [`-N ${name}`, ...rules.map((rule) => this.#add('-A', name, rule))];
  }

  #replace(name: string, rules: readonly RuleWords[]): string[] {
    this.#chains.set(name, { policy: null, rules: [] });
    return [`:${name} - [0:0]`, ...rules.map((rule) => this.#add('-A', name, rule))];
  }

  #delete(name: string): string[] {
    this.#chain(name).rules.length = 0;
    const referring = [...this.#chains].find(([, { rules }]) => rules.some((rule) => ruleTarget(rule) === name));
    if (referring) throw new ModelRefusal('EBUSY', `chain ${referring[0]} leads to it`);
    this.#chains.delete(name);
    return [`-F ${name}`, `-X ${name}`];
  }

  #add(verb: '-A' | '-I', name: string, rule: RuleWords): string {
    const { rules } = this.#chain(name);
    const target = ruleTarget(rule);
    // Any other word may be a target of an extension.
    if (target?.startsWith(this.#prefix) === true && !this.#chains.has(target))
      throw new ModelRefusal('ENOENT', `chain ${target} does not exist`);
    if (verb === '-A') rules.push(rule);
    else rules.unshift(rule);
    if (target !== undefined && this.#chains.has(target)) this.#refuseLoops(name, target);
    return ruleLine(verb, name, rule);
  }

  #remove(name: string, rule: RuleWords): string {
    const { rules } = this.#chain(name);
    const at = rules.findIndex((words) => isSameRule(words, rule));
    if (at < 0) throw new ModelRefusal('ENOENT', 'no such rule');
    rules.splice(at, 1);
    return ruleLine('-D', name, rule);
  }

  #jump(name: string, target: string, at: 'first' | 'last', rule: RuleWords): string[] {
    const { rules } = this.#chain(name);
    const present = rules.filter((words) => ruleTarget(words) === target);
    const [only] = present;
    const inPlace = at === 'first' ? rules[0] : rules.at(-1);
    if (present.length === 1 && only === inPlace && only !== undefined && isSameRule(only, rule)) return [];
    const removals = present.map((words) => this.#remove(name, words));
    return [...removals, this.#add(at === 'first' ? '-I' : '-A', name, rule)];
  }

  #unjump(name: string, target: string): string[] {
    const chain = this.#chains.get(name);
    return (chain?.rules ?? [])
      .filter((words) => ruleTarget(words) === target)
      .map((words) => this.#remove(name, words));
  }

  #chain(name: string): ModelChain {
    const chain = this.#chains.get(name);
    if (!chain) throw new ModelRefusal('ENOENT', `chain ${name} does not exist`);
    return chain;
  }

  /** Packets must never enter a loop; a loop that no packet can reach is allowed, as in the kernel. */
  #refuseLoops(from: string, to: string): void {
    if (!this.#entersCircle(to, new Set([from])) || !this.#isReached(from)) return;
    throw new ModelRefusal('ELOOP', `jump from chain ${from} to ${to} leads into a circle`);
  }

  #entersCircle(name: string, above: ReadonlySet<string>): boolean {
    if (above.has(name)) return true;
    const through = new Set([...above, name]);
    return this.#targets(name).some((target) => this.#entersCircle(target, through));
  }

  #isReached(wanted: string): boolean {
    const reached = new Set([...this.#chains].filter(([, { policy }]) => policy !== null).map(([name]) => name));
    // Iterating over a set includes elements that are added meanwhile.
    for (const name of reached) for (const target of this.#targets(name)) reached.add(target);
    return reached.has(wanted);
  }

  #targets(name: string): string[] {
    const targets = new Set((this.#chains.get(name)?.rules ?? []).map(ruleTarget));
    return [...targets].filter((target) => target !== undefined && this.#chains.has(target)).map(String);
  }
}

function ruleLine(verb: string, chain: string, rule: RuleWords): string {
  return `${verb} ${chain}${rule.length === 0 ? '' : ` ${joinWords(rule)}`}`;
}

function isSameRule(a: RuleWords, b: RuleWords): boolean {
  return a.length === b.length && a.every((word, at) => word === b[at]);
}
