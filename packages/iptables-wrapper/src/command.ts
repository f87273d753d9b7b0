import type { TableRef } from './iptables-error.js';
import type { RuleWords } from './table.js';

/** A chain in one table of one family. */
export interface ChainRef extends TableRef {
  readonly chain: string;
}

export interface ChainRules extends ChainRef {
  readonly rules: readonly RuleWords[];
}

export interface ChainRule extends ChainRef {
  readonly rule: RuleWords;
}

/** A jump into one of our chains, from a chain that is not ours. */
export interface Jump extends ChainRef {
  /** Our chain. */
  readonly target: string;
  /** Before or after every other rule of `chain`. One of each per chain: of two, the later command wins. */
  readonly at: 'first' | 'last';
  /** What a packet must match to go there, as iptables-save writes it: `['-i', 'lan0']`. Default: nothing. */
  readonly match?: RuleWords;
}

/**
 * One change. Commands take effect in their order: a chain is created before a rule leads to it.
 *
 * Only chains whose name starts with the prefix of the instance can be changed; `jump` and `unjump` touch in any other
 * chain the rules that lead to `target`, and no other rule.
 */
export type Command =
  /** Makes a chain with these rules; EEXIST if it exists. */
  | { readonly create: ChainRules }
  /** Makes a chain have exactly these rules, whether it exists or not. */
  | { readonly replace: ChainRules }
  /** Removes a chain and its rules; ENOENT if it does not exist, EBUSY while a rule elsewhere leads to it. */
  | { readonly delete: ChainRef }
  /** As `delete`, but a missing chain is no error. */
  | { readonly destroy: ChainRef }
  /** Adds a rule at the end of a chain. */
  | { readonly append: ChainRule }
  /** Adds a rule at the front of a chain. */
  | { readonly insert: ChainRule }
  /** Removes the first rule of a chain that has these words, as `list` gives them; ENOENT if there is none. */
  | { readonly remove: ChainRule }
  /**
   * Makes sure that exactly one rule of `chain` leads to `target`, and that it is in its place. One that is right
   * already is not touched.
   */
  | { readonly jump: Jump }
  /** Removes every rule of `chain` that leads to `target`. */
  | { readonly unjump: ChainRef & { readonly target: string } };

/** The table that a command changes. */
export function commandChain(command: Command): ChainRef {
  if ('create' in command) return command.create;
  if ('replace' in command) return command.replace;
  if ('delete' in command) return command.delete;
  if ('destroy' in command) return command.destroy;
  if ('append' in command) return command.append;
  if ('insert' in command) return command.insert;
  if ('remove' in command) return command.remove;
  if ('jump' in command) return command.jump;
  return command.unjump;
}

/** A command in a few words for a message: `replace chain GWMARK-pre`, `jump PREROUTING to GWMARK-pre`. */
export function describeCommand(command: Command): string {
  const { chain } = commandChain(command);
  if ('jump' in command) return `jump ${chain} to ${command.jump.target}`;
  if ('unjump' in command) return `unjump ${chain} to ${command.unjump.target}`;
  const [verb = '?'] = Object.keys(command);
  return `${verb} chain ${chain}`;
}
