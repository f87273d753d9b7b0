import type { Command } from './command.js';
import { explainIptables, NO_REASON, type Failure } from './failure.js';
import type { Flavour, FlavourPrograms } from './flavour.js';
import { describePart, IptablesError, type TableRef } from './iptables-error.js';
import type { Iptables, RunOptions, RunResult } from './iptables.js';
import { findLockHolder } from './lock-holder.js';
import {
  commandError,
  lowerPart,
  splitParts,
  sweepCommands,
  type Lowered,
  type Part,
  type RestoreLine,
} from './parts.js';
import type { ProgramRunner } from './program-runner.js';
import { SerialQueue } from './serial-queue.js';
import { readTables, ruleTarget, withBuiltIns, type Family, type ListedTable } from './table.js';
import { firstRefusedRule } from './trial.js';
import { splitWords } from './words.js';

/** How often a part is read and rewritten when another program has changed the table in between. */
const MAX_ATTEMPTS = 4;

export interface ProgramIptablesOptions {
  readonly flavour: Flavour;
  readonly version: string;
  readonly programs: Readonly<Record<Family, FlavourPrograms>>;
  readonly families: readonly Family[];
  readonly prefix: string;
  readonly lockWaitSeconds: number;
  readonly lockFile: string | undefined;
  readonly run: ProgramRunner;
}

/** Iptables over `iptables-save` and `iptables-restore` of one flavour. */
export class ProgramIptables implements Iptables {
  readonly flavour: Flavour;
  readonly version: string;
  readonly families: readonly Family[];
  readonly prefix: string;
  readonly #options: ProgramIptablesOptions;
  readonly #queue = new SerialQueue('iptables');

  constructor(options: ProgramIptablesOptions) {
    this.flavour = options.flavour;
    this.version = options.version;
    this.families = options.families;
    this.prefix = options.prefix;
    this.#options = options;
  }

  run(commands: readonly Command[], options: RunOptions = {}): Promise<RunResult> {
    return this.#queue.run(() => this.#run(commands), options.signal);
  }

  check(commands: readonly Command[], options: RunOptions = {}): Promise<void> {
    return this.#queue.run(async () => {
      for (const part of splitParts(commands, this.prefix, this.families)) await this.#try(commands, part);
    }, options.signal);
  }

  list(table: TableRef, options: RunOptions = {}): Promise<ListedTable> {
    return this.#queue.run(() => this.#list(table), options.signal);
  }

  sweep(options: RunOptions = {}): Promise<readonly string[]> {
    return this.#queue.run(async () => {
      const commands: Command[] = [];
      const removed: string[] = [];
      for (const family of this.families) {
        for (const table of await this.#save(family, [])) {
          // iptables-save prints no other names.
          const ref: TableRef = { family, table: table.name as TableRef['table'] };
          commands.push(...sweepCommands(ref, table, this.prefix, ruleTarget));
          removed.push(
            ...table.chains
              .filter(({ name }) => name.startsWith(this.prefix))
              .map(({ name }) => `${describePart(ref)} ${name}`),
          );
        }
      }
      await this.#run(commands);
      return removed;
    }, options.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.close();
  }

  async #run(commands: readonly Command[]): Promise<RunResult> {
    const startedAt = performance.now();
    const parts = splitParts(commands, this.prefix, this.families);
    if (parts.length > 1) for (const part of parts) await this.#try(commands, part);
    const applied: TableRef[] = [];
    for (const part of parts) {
      try {
        if (await this.#apply(commands, part)) applied.push(part.ref);
      } catch (error) {
        throw error instanceof IptablesError && applied.length > 0 ? withApplied(error, applied) : error;
      }
    }
    return { durationMs: performance.now() - startedAt, changed: applied };
  }

  /** Everything except the effect: what the table has, then what the programs say about the lines. */
  async #try(commands: readonly Command[], part: Part): Promise<Lowered> {
    const lowered = lowerPart(part, await this.#list(part.ref), this.prefix);
    if (lowered.lines.length > 0) {
      const failure = await this.#restore(part.ref, lowered.lines, ['--test']);
      if (failure) throw this.#explain(commands, part.ref, lowered.lines, failure);
    }
    if (lowered.refusal) throw commandError(lowered.refusal.error, commands, lowered.refusal.index, part.ref);
    return lowered;
  }

  /** Returns whether there was anything to do. */
  async #apply(commands: readonly Command[], part: Part): Promise<boolean> {
    for (let attempt = 1; ; attempt += 1) {
      const lowered = lowerPart(part, await this.#list(part.ref), this.prefix);
      // The earliest fault is named: an earlier command may be one that only the program can refuse.
      if (lowered.refusal) {
        await this.#try(commands, part);
        // The obstacle is gone since.
        if (attempt < MAX_ATTEMPTS) continue;
        throw commandError(lowered.refusal.error, commands, lowered.refusal.index, part.ref);
      }
      if (lowered.lines.length === 0) return false;
      const failure = await this.#restore(part.ref, lowered.lines, []);
      if (!failure) return true;
      if (attempt < MAX_ATTEMPTS && (await this.#isStale(part, lowered))) continue;
      const rule =
        this.flavour === 'legacy' && failure.line === lowered.lines.length + 2
          ? await this.#findRule(part.ref, lowered.lines)
          : undefined;
      throw this.#explain(commands, part.ref, lowered.lines, failure, rule);
    }
  }

  /** Another program has changed the table since it was read, so that other lines would be written now. */
  async #isStale(part: Part, lowered: Lowered): Promise<boolean> {
    const again = lowerPart(part, await this.#list(part.ref), this.prefix);
    return (
      again.refusal !== undefined ||
      again.lines.map(({ text }) => text).join('\n') !== lowered.lines.map(({ text }) => text).join('\n')
    );
  }

  async #findRule(ref: TableRef, lines: readonly RestoreLine[]): Promise<RestoreLine | undefined> {
    const accepts = async (trial: readonly string[]): Promise<boolean> => {
      const failure = await this.#restore(
        ref,
        trial.map((text) => ({ text, index: 0 })),
        [],
      );
      return failure === undefined;
    };
    return firstRefusedRule(lines, this.prefix, accepts);
  }

  #explain(
    commands: readonly Command[],
    part: TableRef,
    lines: readonly RestoreLine[],
    failure: Failure & { detail: string },
    rule?: RestoreLine,
  ): IptablesError {
    const { detail } = failure;
    // Line 1 names the table.
    const failed =
      rule ??
      (failure.line === undefined ? undefined : (lines[failure.line - 2] ?? lineOfTarget(lines, failure.reason)));
    const code = failed && failure.reason === NO_REASON ? codeOfLine(failed.text, rule !== undefined) : failure.code;
    if (!failed)
      return new IptablesError(code, `${describePart(part)}: ${failure.reason}`, { part, line: failure.line, detail });
    const line = lines.indexOf(failed) + 2;
    return commandError({ code, message: failure.reason }, commands, failed.index, part, {
      line,
      text: failed.text,
      detail,
    });
  }

  async #list({ family, table }: TableRef): Promise<ListedTable> {
    const tables = await this.#save(family, ['-t', table]);
    return withBuiltIns(
      table,
      tables.find(({ name }) => name === table),
    );
  }

  async #save(family: Family, args: readonly string[]): Promise<ListedTable[]> {
    const program = this.#options.programs[family].save;
    const { exitCode, stdout, stderr } = await this.#options.run(program, ['-c', ...args]);
    if (exitCode === 0) return readTables(stdout);
    const { code, reason } = explainIptables(exitCode, stderr);
    throw new IptablesError(code, `${program}: ${reason}`, { detail: stderr });
  }

  /** One transaction. Returns why it failed. */
  async #restore(
    { family, table }: TableRef,
    lines: readonly RestoreLine[],
    args: readonly string[],
  ): Promise<(Failure & { detail: string }) | undefined> {
    const { programs, lockWaitSeconds, lockFile, run } = this.#options;
    const input = [`*${table}`, ...lines.map(({ text }) => text), 'COMMIT', ''].join('\n');
    const { exitCode, stderr } = await run(
      programs[family].restore,
      ['--noflush', '-w', String(lockWaitSeconds), ...args],
      input,
    );
    if (exitCode === 0) return undefined;
    const failure = explainIptables(exitCode, stderr);
    if (failure.code !== 'ELOCKED') return { ...failure, detail: stderr };
    const holder = await findLockHolder(lockFile);
    const reason = `${holder ?? 'another program'} holds the xtables lock, waited ${lockWaitSeconds} s`;
    return { ...failure, reason, detail: stderr };
  }
}

/** iptables-nft looks targets up at COMMIT, and names the one that is missing instead of the rule. */
function lineOfTarget(lines: readonly RestoreLine[], reason: string): RestoreLine | undefined {
  const missing = /^Chain '(.+)' does not exist$/u.exec(reason)?.[1];
  return missing === undefined ? undefined : lines.find(({ text }) => ruleTarget(splitWords(text).words) === missing);
}

/** The only possible reason of a line without one, given that the table had what the line needs. */
function codeOfLine(text: string, isByKernel: boolean): IptablesError['code'] {
  if (isByKernel) return 'EINVAL';
  if (text.startsWith('-N ')) return 'EEXIST';
  if (text.startsWith('-X ')) return 'EBUSY';
  return text.startsWith(':') ? 'EINVAL' : 'ENOENT';
}

function withApplied(error: IptablesError, applied: readonly TableRef[]): IptablesError {
  const { part, index, line, text, detail, cause } = error;
  return new IptablesError(
    error.code,
    `${error.message}; applied before that: ${applied.map(describePart).join(', ')}`,
    { part, index, line, text, detail, cause, applied },
  );
}
