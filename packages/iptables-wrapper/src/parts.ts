import { commandChain, describeCommand, type Command } from './command.js';
import { describePart, IptablesError, type TableRef } from './iptables-error.js';
import type { Family, ListedTable } from './table.js';
import { ModelRefusal, TableModel } from './table-model.js';
import { faultOf } from './validation.js';

/** The commands of one table and family, with their places in the whole list. */
export interface Part {
  readonly ref: TableRef;
  readonly commands: readonly { readonly index: number; readonly command: Command }[];
}

/** A line for iptables-restore, and the command that it belongs to. */
export interface RestoreLine {
  readonly text: string;
  readonly index: number;
}

/**
 * Splits commands by table and family, in the order in which these are first named.
 *
 * @throws IptablesError EINVAL for the first command that is wrong whatever the tables hold
 */
export function splitParts(commands: readonly Command[], prefix: string, families: readonly Family[]): Part[] {
  const parts = new Map<string, { ref: TableRef; commands: { index: number; command: Command }[] }>();
  for (const [index, command] of commands.entries()) {
    const { family, table } = commandChain(command);
    const ref: TableRef = { family, table };
    const fault = faultOf(command, prefix) ?? (families.includes(family) ? undefined : `IPv${family} was not opened`);
    if (fault !== undefined) throw commandError(new ModelRefusal('EINVAL', fault), commands, index, ref);
    const part = parts.get(describePart(ref)) ?? { ref, commands: [] };
    part.commands.push({ index, command });
    parts.set(describePart(ref), part);
  }
  return [...parts.values()];
}

/** A part that the model has applied as far as possible: its lines, and the rejection after them. */
export interface Lowered {
  readonly lines: readonly RestoreLine[];
  readonly model: TableModel;
  readonly refusal: { readonly index: number; readonly error: ModelRefusal } | undefined;
}

/** Translates a part into lines, upon what the table holds now. */
export function lowerPart(part: Part, listed: ListedTable | undefined, prefix: string): Lowered {
  const model = new TableModel(part.ref.table, listed, prefix);
  const lines: RestoreLine[] = [];
  for (const { index, command } of part.commands) {
    try {
      lines.push(...model.apply(command).map((text) => ({ text, index })));
    } catch (error) {
      if (!(error instanceof ModelRefusal)) throw error;
      return { lines, model, refusal: { index, error } };
    }
  }
  return { lines, model, refusal: undefined };
}

/** `replace chain VPN-in (IPv4 mangle): chain VPN-out does not exist (command 2 of 3)`. */
export function commandError(
  refusal: Pick<IptablesError, 'code' | 'message'>,
  commands: readonly Command[],
  index: number,
  part: TableRef,
  context: { readonly line?: number | undefined; readonly text?: string | undefined; readonly detail?: string } = {},
): IptablesError {
  const command = commands[index];
  const what = command ? describeCommand(command) : '?';
  const rule = context.text === undefined ? '' : `: ${context.text}`;
  const place = commands.length > 1 ? ` (command ${index + 1} of ${commands.length})` : '';
  return new IptablesError(refusal.code, `${what} (${describePart(part)})${rule}: ${refusal.message}${place}`, {
    part,
    index,
    ...context,
  });
}

/**
 * The commands that remove everything of ours from a listed table: first what leads there, then the chains, none of
 * which leads to another by then.
 */
export function sweepCommands(
  ref: TableRef,
  table: ListedTable,
  prefix: string,
  targetOf: (words: readonly string[]) => string | undefined,
): Command[] {
  const own = table.chains.filter(({ name }) => name.startsWith(prefix));
  const foreign = table.chains.filter(({ name }) => !name.startsWith(prefix));
  const unjumps = foreign.flatMap(({ name: chain, rules }) => {
    const targets = new Set(rules.map(({ words }) => targetOf(words)).filter((target) => target?.startsWith(prefix)));
    return own
      .filter(({ name }) => targets.has(name))
      .map(({ name: target }): Command => ({ unjump: { ...ref, chain, target } }));
  });
  return [
    ...unjumps,
    ...own.map(({ name: chain }): Command => ({ replace: { ...ref, chain, rules: [] } })),
    ...own.map(({ name: chain }): Command => ({ delete: { ...ref, chain } })),
  ];
}
