import type { IptablesErrorCode } from './iptables-error.js';

/** A program's reason for a failure. */
export interface Failure {
  readonly code: IptablesErrorCode;
  /** Its message in one line, without the program's name and place. */
  readonly reason: string;
  /** From 1; undefined if it named none. */
  readonly line: number | undefined;
}

/** iptables-restore before 1.8.10 in its legacy flavour: a line without a reason. */
export const NO_REASON = 'no reason given';

/**
 * Texts of iptables 1.8 and of strerror(3), the more specific first. They are stable: the programs run under LC_ALL=C,
 * and other tools (kube-proxy, firewalld) match the same ones.
 */
const TEXTS: readonly (readonly [text: string, code: IptablesErrorCode])[] = [
  ['xtables lock', 'ELOCKED'],
  ["is incompatible, use 'nft' tool", 'EMIXED'],
  ['you must be root', 'EPERM'],
  ['Operation not permitted', 'EPERM'],
  ['Permission denied', 'EPERM'],
  ["can't open lock file", 'UNAVAILABLE'],
  ['unable to initialize table', 'UNAVAILABLE'],
  ["can't initialize ", 'UNAVAILABLE'],
  ['do you need to insmod', 'UNAVAILABLE'],
  ['Could not fetch rule set generation id', 'UNAVAILABLE'],
  ['Failed to initialize nft', 'UNAVAILABLE'],
  ['missing kernel module', 'EOPNOTSUPP'],
  ["Couldn't load match", 'EOPNOTSUPP'],
  ["Couldn't load target", 'ENOENT'],
  ['does not exist', 'ENOENT'],
  ["doesn't exist", 'ENOENT'],
  ['No chain/target/match by that name', 'ENOENT'],
  ['does a matching rule exist', 'ENOENT'],
  ['Chain already exists', 'EEXIST'],
  ['File exists', 'EEXIST'],
  ['Device or resource busy', 'EBUSY'],
  ['Directory not empty', 'EBUSY'],
  ['Too many links', 'ELOOP'],
  ['Too many levels of symbolic links', 'ELOOP'],
  ['Operation not supported', 'EOPNOTSUPP'],
  ['Protocol not supported', 'EOPNOTSUPP'],
  ['No such file or directory', 'ENOENT'],
  ['Cannot allocate memory', 'ENOMEM'],
  ['No buffer space available', 'ENOMEM'],
  ['Invalid argument', 'EINVAL'],
  ['Index of insertion too big', 'EINVAL'],
];

/** @see xtables.h enum xtables_exittype: PARAMETER_PROBLEM */
const PARAMETER_PROBLEM = 2;

/** Reads the messages of iptables-save and iptables-restore of either flavour. */
export function explainIptables(exitCode: number, stderr: string): Failure {
  const lines = stderr.split('\n').map((line) => line.trim());
  const warning = lines.find((line) => line.includes('missing kernel module'));
  const messages = lines.filter(
    (line) => line !== '' && !/^(Try `|Warning:|# Warning|Error occurred at line|Can't lock )/u.test(line),
  );

  // nft: `line 4: RULE_APPEND failed (Invalid argument): rule in chain X`; both: `line 4 failed: reason.`, or `line 4
  // failed`.
  for (const message of messages) {
    const refused = /^line (\d+): (.*)$/u.exec(message) ?? /line (\d+) failed(?:: (.*?)\.?)?$/u.exec(message);
    if (!refused) continue;
    const reason = refused[2] ?? warning ?? NO_REASON;
    const code = warning === undefined ? classify(reason) : 'EOPNOTSUPP';
    return {
      code: code ?? 'EINVAL',
      reason: warning === undefined ? reason : `${reason} (${warning})`,
      line: Number(refused[1]),
    };
  }

  // `iptables-restore v1.8.9 (legacy): reason`, and the line in a message of its own.
  const line = /Error occurred at line: (\d+)/u.exec(stderr)?.[1];
  const telling = messages.map(withoutProgram).filter((message) => message !== '');
  const reason =
    telling.find((message) => classify(message) !== undefined) ??
    telling[0] ??
    (stderr.trim() || `exit code ${exitCode}`);
  const code = classify(reason) ?? (exitCode === PARAMETER_PROBLEM || line !== undefined ? 'EINVAL' : 'UNKNOWN');
  return { code, reason, line: line === undefined ? undefined : Number(line) };
}

function classify(text: string): IptablesErrorCode | undefined {
  return TEXTS.find(([known]) => text.includes(known))?.[1];
}

function withoutProgram(message: string): string {
  return message.replace(/^ip6?tables[\w-]*( v[\d.]+ \([a-z_]+\))?: (?:ip6?tables[\w-]*: )?/u, '').trim();
}
