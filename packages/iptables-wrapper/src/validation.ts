import { commandChain, type Command } from './command.js';
import { BUILT_IN_CHAINS, type RuleWords } from './table.js';
import { joinWords, MAX_LINE_BYTES, MAX_WORD_BYTES } from './words.js';

/** Longest name of a chain (xtables.h XT_EXTENSION_MAXNAMELEN, 29 with the final NUL; iptables 1.8.9). */
export const MAX_CHAIN_NAME_BYTES = 28;

/**
 * Words that iptables-restore takes a line with (xshared.h MAX_ARGC, 255 with the program's name and `-t`, the table,
 * `-A`, the chain).
 */
const MAX_RULE_WORDS = 245;

const VERDICTS = new Set(['ACCEPT', 'DROP', 'RETURN', 'QUEUE']);

/** Why a name cannot be the prefix of our chains; undefined if it can. */
export function faultOfPrefix(prefix: string): string | undefined {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,19}$/u.test(prefix))
    return `prefix ${JSON.stringify(prefix)} is not 1 to 20 letters, digits, "_", "." or "-"`;
  const taken = [...Object.values(BUILT_IN_CHAINS).flat(), ...VERDICTS].find((name) => name.startsWith(prefix));
  return taken === undefined ? undefined : `prefix ${JSON.stringify(prefix)} begins ${taken}, which is not ours`;
}

/** What is wrong with a command regardless of the tables; undefined if nothing is. */
export function faultOf(command: Command, prefix: string): string | undefined {
  const { family, table, chain } = commandChain(command);
  // Callers without types may pass anything.
  if (family !== 4 && family !== 6) return `family ${String(family)} is neither 4 nor 6`;
  if (!Object.hasOwn(BUILT_IN_CHAINS, table))
    return `table ${JSON.stringify(table)} is none of ${Object.keys(BUILT_IN_CHAINS).join(', ')}`;
  if ('jump' in command || 'unjump' in command) {
    const { target } = 'jump' in command ? command.jump : command.unjump;
    if (chain.startsWith(prefix)) return `chain ${chain} is ours: rules of its own lead on from it, not a jump`;
    const jump = 'jump' in command ? faultOfRule(chain, [...(command.jump.match ?? []), '-j', target]) : undefined;
    return faultOfName(chain) ?? faultOfOwnName(target, prefix) ?? jump;
  }
  const fault = faultOfOwnName(chain, prefix);
  if (fault !== undefined) return fault;
  for (const rule of rulesOf(command)) {
    const ruleFault = faultOfRule(chain, rule);
    if (ruleFault !== undefined) return ruleFault;
  }
  return undefined;
}

function rulesOf(command: Command): readonly RuleWords[] {
  if ('create' in command) return command.create.rules;
  if ('replace' in command) return command.replace.rules;
  if ('append' in command) return [command.append.rule];
  if ('insert' in command) return [command.insert.rule];
  return 'remove' in command ? [command.remove.rule] : [];
}

function faultOfOwnName(chain: string, prefix: string): string | undefined {
  return chain.startsWith(prefix)
    ? faultOfName(chain)
    : `chain ${JSON.stringify(chain)} is not ours: its name does not start with ${prefix}`;
}

function faultOfName(chain: string): string | undefined {
  if (!/^[^\s"'\\!:-][^\s"'\\]*$/u.test(chain) || VERDICTS.has(chain))
    return `${JSON.stringify(chain)} cannot be the name of a chain`;
  const bytes = Buffer.byteLength(chain);
  return bytes > MAX_CHAIN_NAME_BYTES
    ? `chain name ${chain} has ${bytes} bytes, more than ${MAX_CHAIN_NAME_BYTES}`
    : undefined;
}

function faultOfRule(chain: string, rule: RuleWords): string | undefined {
  const where = `rule of chain ${chain}`;
  if (rule.length > MAX_RULE_WORDS) return `${where} has ${rule.length} words, more than ${MAX_RULE_WORDS}`;
  for (const word of rule) {
    // iptables-restore reads lines: a word cannot continue in the next one, and a control character ends it.
    // eslint-disable-next-line no-control-regex
    if (/[\0\n\r]/u.test(word)) return `${where}: word ${JSON.stringify(word)} holds a line end or NUL`;
    if (Buffer.byteLength(word) > MAX_WORD_BYTES)
      return `${where}: a word of ${Buffer.byteLength(word)} bytes, more than ${MAX_WORD_BYTES}: ${word.slice(0, 40)}...`;
  }
  const bytes = Buffer.byteLength(`-A ${chain} ${joinWords(rule)}`);
  return bytes > MAX_LINE_BYTES ? `${where} is a line of ${bytes} bytes, more than ${MAX_LINE_BYTES}` : undefined;
}
