import type { Command } from '../command.js';
import type { Flavour } from '../flavour.js';
import { describePart, IptablesError, type TableRef } from '../iptables-error.js';
import type { Iptables, RunOptions, RunResult } from '../iptables.js';
import { commandError, lowerPart, splitParts, sweepCommands, type Lowered, type Part } from '../parts.js';
import { printSave, type SaveLine } from '../save-format.js';
import { SerialQueue } from '../serial-queue.js';
import { BUILT_IN_CHAINS, ruleTarget, withBuiltIns, type Family, type ListedTable, type TableName } from '../table.js';
import { ModelRefusal } from '../table-model.js';
import { faultOfPrefix } from '../validation.js';
import type { FakeIpset } from './fake-ipset.js';

export interface FakeIptablesOptions {
  readonly prefix: string;
  /** Default nft. Both behave the same. */
  readonly flavour?: Flavour;
  /** Default both. */
  readonly families?: readonly Family[];
  /** The sets that rules can refer to; without it any name is taken. */
  readonly ipset?: FakeIpset;
}

/**
 * iptables in memory: chains, which rule leads where, atomic tables. It counts no packets and knows no extension: a
 * rule with a wrong option is taken, and words come back as they were given, where iptables writes them its own way.
 *
 * Passes the same contract suite as the real flavours.
 */
export class FakeIptables implements Iptables {
  readonly flavour: Flavour;
  readonly version = '1.8.9';
  readonly families: readonly Family[];
  readonly prefix: string;
  readonly #ipset: FakeIpset | undefined;
  readonly #queue = new SerialQueue('iptables');
  readonly #tables = new Map<string, { ref: TableRef; table: ListedTable }>();
  readonly #transactions: (readonly Command[])[] = [];
  readonly #failures: Error[] = [];

  constructor(options: FakeIptablesOptions) {
    const fault = faultOfPrefix(options.prefix);
    if (fault !== undefined) throw new IptablesError('EINVAL', fault);
    this.flavour = options.flavour ?? 'nft';
    this.families = options.families ?? [4, 6];
    this.prefix = options.prefix;
    this.#ipset = options.ipset;
    this.#ipset?.addReferrer(() => this.#referredSets());
  }

  /** The command lists that `run` has applied, oldest first. */
  get transactions(): readonly (readonly Command[])[] {
    return this.#transactions;
  }

  run(commands: readonly Command[], options: RunOptions = {}): Promise<RunResult> {
    return this.#queue.run(async () => {
      this.#throwPlanned();
      const changed = this.#change(commands);
      if (commands.length > 0) this.#transactions.push(commands);
      return { durationMs: 0, changed };
    }, options.signal);
  }

  check(commands: readonly Command[], options: RunOptions = {}): Promise<void> {
    return this.#queue.run(async () => {
      this.#throwPlanned();
      for (const part of splitParts(commands, this.prefix, this.families)) this.#lower(commands, part);
    }, options.signal);
  }

  list(table: TableRef, options: RunOptions = {}): Promise<ListedTable> {
    return this.#queue.run(async () => {
      this.#throwPlanned();
      return this.#list(table);
    }, options.signal);
  }

  sweep(options: RunOptions = {}): Promise<readonly string[]> {
    return this.#queue.run(async () => {
      this.#throwPlanned();
      const present = [...this.#tables.values()].filter(({ ref }) => this.families.includes(ref.family));
      const removed = present.flatMap(({ ref, table }) =>
        table.chains
          .filter(({ name }) => name.startsWith(this.prefix))
          .map(({ name }) => `${describePart(ref)} ${name}`),
      );
      this.#change(present.flatMap(({ ref, table }) => sweepCommands(ref, table, this.prefix, ruleTarget)));
      return removed;
    }, options.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.close();
  }

  /** Changes tables as another program would: at once, any chain, not in `transactions`. */
  inject(commands: readonly Command[]): void {
    for (const [index, command] of commands.entries()) {
      const [part] = splitByTable(command, index);
      this.#keep(part, this.#lower(commands, part));
    }
  }

  /** Makes the next calls of run, check, list and sweep reject, one error each, before they do anything. */
  failNext(...errors: readonly Error[]): void {
    this.#failures.push(...errors);
  }

  /** Everything in the format of iptables-save, without counters: equal texts are equal rules. */
  dump(): string {
    return [...this.#tables.values()]
      .toSorted((a, b) => (describePart(a.ref) < describePart(b.ref) ? -1 : 1))
      .map(({ ref, table }) => printSave([{ kind: 'comment', text: ` IPv${ref.family}` }, ...saveLines(table)]))
      .join('');
  }

  #throwPlanned(): void {
    const failure = this.#failures.shift();
    if (failure) throw failure;
  }

  #change(commands: readonly Command[]): TableRef[] {
    const parts = splitParts(commands, this.prefix, this.families);
    const lowered = parts.map((part) => ({ part, lowered: this.#lower(commands, part) }));
    for (const { part, lowered: done } of lowered) this.#keep(part, done);
    return lowered.filter(({ lowered: { lines } }) => lines.length > 0).map(({ part }) => part.ref);
  }

  #lower(commands: readonly Command[], part: Part): Lowered {
    const lowered = lowerPart(part, this.#tables.get(describePart(part.ref))?.table, this.prefix);
    for (const { index, command } of part.commands) {
      const missing = setsOfCommand(command).find((name) => this.#ipset?.has(name) === false);
      const isFirst = lowered.refusal === undefined || index <= lowered.refusal.index;
      if (missing !== undefined && isFirst)
        throw commandError(new ModelRefusal('ENOENT', `set ${missing} does not exist`), commands, index, part.ref);
    }
    if (lowered.refusal) throw commandError(lowered.refusal.error, commands, lowered.refusal.index, part.ref);
    return lowered;
  }

  #keep({ ref }: Part, { model }: Lowered): void {
    this.#tables.set(describePart(ref), { ref, table: model.list(ref.table) });
  }

  #list(ref: TableRef): ListedTable {
    // A copy: changes of a listing do not affect the fake.
    return structuredClone(withBuiltIns(ref.table, this.#tables.get(describePart(ref))?.table));
  }

  #referredSets(): string[] {
    const rules = [...this.#tables.values()].flatMap(({ table }) => table.chains.flatMap((chain) => chain.rules));
    return rules.flatMap(({ words }) => setsOfRule(words));
  }
}

function splitByTable(command: Command, index: number): [Part] {
  const [ref] = Object.values(command) as readonly TableRef[];
  const { family = 4, table = 'filter' } = ref ?? {};
  return [{ ref: { family, table }, commands: [{ index, command }] }];
}

function setsOfCommand(command: Command): string[] {
  if ('create' in command) return command.create.rules.flatMap(setsOfRule);
  if ('replace' in command) return command.replace.rules.flatMap(setsOfRule);
  if ('append' in command) return setsOfRule(command.append.rule);
  return 'insert' in command ? setsOfRule(command.insert.rule) : [];
}

/** @see iptables-extensions(8), set and SET */
function setsOfRule(words: readonly string[]): string[] {
  return words.flatMap((word, at) =>
    /^--(?:match-set|add-set|del-set|map-set)$/u.test(word) ? [words[at + 1] ?? ''] : [],
  );
}

function saveLines(table: ListedTable): SaveLine[] {
  // Only tables that are named by a TableName are kept.
  const builtIn = BUILT_IN_CHAINS[table.name as TableName].length;
  return [
    { kind: 'table', name: table.name },
    ...table.chains.map(({ name, policy }, at): SaveLine => ({
      kind: 'chain',
      name,
      policy: at < builtIn ? policy : null,
    })),
    ...table.chains.flatMap(({ name, rules }) =>
      rules.map(({ words }): SaveLine => ({ kind: 'rule', chain: name, words })),
    ),
    { kind: 'commit' },
  ];
}
