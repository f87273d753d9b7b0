/** Objects and small readings that the contract suite is written in. */
import assert from 'node:assert/strict';
import {
  IptablesError,
  type Command,
  type Family,
  type Iptables,
  type IptablesErrorCode,
  type Ipset,
  type ListedTable,
  type RuleWords,
  type TableRef,
} from 'iptables-wrapper';

/** One implementation under test, beginning with empty tables each time. */
export interface Harness {
  open(families?: readonly Family[]): Promise<{ iptables: Iptables; ipset: Ipset }>;
  /** Changes tables as another program would: appends rules and makes chains, of any name. */
  foreign(iptables: Iptables, commands: readonly Command[]): void;
}

export const PREFIX = 'VPN-';
export const MANGLE4 = { family: 4, table: 'mangle' } as const;
export const MANGLE6 = { family: 6, table: 'mangle' } as const;
export const IN = { ...MANGLE4, chain: 'VPN-in' } as const;
export const OUT = { ...MANGLE4, chain: 'VPN-out' } as const;

// Rules as both flavours print them.
export const ACCEPT: RuleWords = ['-j', 'ACCEPT'];
export const RETURN: RuleWords = ['-j', 'RETURN'];
export const MARK: RuleWords = [
  '-i',
  'lan0',
  '-m',
  'mac',
  '--mac-source',
  '02:00:00:00:00:01',
  '-j',
  'MARK',
  '--set-xmark',
  '0x1/0xff',
];
export const COMMENTED: RuleWords = ['-m', 'comment', '--comment', 'it is "ours" \\ and \'so\' on', '-j', 'RETURN'];

/** Commands that the chains of `addChains` refuse, each with the code that it must be refused with. */
export const REFUSALS: readonly (readonly [fact: string, code: IptablesErrorCode, command: Command])[] = [
  ['creating a chain that exists', 'EEXIST', { create: { ...IN, rules: [] } }],
  ['deleting a chain that does not exist', 'ENOENT', { delete: { ...MANGLE4, chain: 'VPN-absent' } }],
  ['deleting a chain that a rule leads to', 'EBUSY', { delete: OUT }],
  ['a rule in a chain that does not exist', 'ENOENT', { append: { ...MANGLE4, chain: 'VPN-absent', rule: ACCEPT } }],
  ['a rule that leads to a chain that does not exist', 'ENOENT', { append: { ...IN, rule: ['-j', 'VPN-absent'] } }],
  ['removing a rule that is not there', 'ENOENT', { remove: { ...IN, rule: ['-i', 'absent0', '-j', 'ACCEPT'] } }],
  [
    'removing a rule from a chain that does not exist',
    'ENOENT',
    { remove: { ...MANGLE4, chain: 'VPN-absent', rule: ACCEPT } },
  ],
  [
    'a jump to a chain that does not exist',
    'ENOENT',
    { jump: { ...MANGLE4, chain: 'PREROUTING', target: 'VPN-absent', at: 'first' } },
  ],
  [
    'a jump from a chain that does not exist',
    'ENOENT',
    { jump: { ...MANGLE4, chain: 'ABSENT', target: 'VPN-in', at: 'first' } },
  ],
  [
    'a rule that refers to a set that does not exist',
    'ENOENT',
    { append: { ...IN, rule: ['-m', 'set', '--match-set', 'absent', 'src', '-j', 'ACCEPT'] } },
  ],
  ['a circle of jumps that packets come into', 'ELOOP', { append: { ...OUT, rule: ['-j', 'VPN-in'] } }],
  ['a chain that is not ours', 'EINVAL', { replace: { ...MANGLE4, chain: 'PREROUTING', rules: [] } }],
  ['a rule in a chain that is not ours', 'EINVAL', { append: { ...MANGLE4, chain: 'PREROUTING', rule: ACCEPT } }],
  [
    'a jump to a chain that is not ours',
    'EINVAL',
    { jump: { ...MANGLE4, chain: 'PREROUTING', target: 'OTHER', at: 'first' } },
  ],
  ['a chain name that is too long', 'EINVAL', { create: { ...MANGLE4, chain: `VPN-${'x'.repeat(25)}`, rules: [] } }],
  ['a chain name with a line end', 'EINVAL', { create: { ...MANGLE4, chain: 'VPN-a\nCOMMIT', rules: [] } }],
  [
    'a word with a line end',
    'EINVAL',
    { append: { ...IN, rule: ['-m', 'comment', '--comment', 'a\n-P INPUT DROP', '-j', 'ACCEPT'] } },
  ],
  [
    'a word longer than iptables-restore reads',
    'EINVAL',
    { append: { ...IN, rule: ['-m', 'comment', '--comment', 'x'.repeat(1024)] } },
  ],
  [
    'a rule longer than iptables-restore reads',
    'EINVAL',
    { append: { ...IN, rule: Array.from({ length: 12 }, () => 'x'.repeat(1000)) } },
  ],
];

/** `PREROUTING` leads to `VPN-in`, that one to `VPN-out`. */
export async function addChains(iptables: Iptables): Promise<void> {
  await iptables.run([
    { create: { ...OUT, rules: [MARK] } },
    { create: { ...IN, rules: [['-j', 'VPN-out'], ACCEPT] } },
    { jump: { ...MANGLE4, chain: 'PREROUTING', target: 'VPN-in', at: 'first' } },
  ]);
}

/** The rules of a chain; undefined where there is none of that name. */
export async function rules(
  iptables: Iptables,
  chain: string,
  table: TableRef = MANGLE4,
): Promise<readonly RuleWords[] | undefined> {
  const { chains } = await iptables.list(table);
  return chains.find(({ name }) => name === chain)?.rules.map(({ words }) => words);
}

/** Chains and rules without counters, in a form that can be compared. */
export function withoutCounters({ chains }: ListedTable): unknown {
  return chains.map((chain) => ({
    name: chain.name,
    policy: chain.policy,
    rules: chain.rules.map(({ words }) => words),
  }));
}

export async function refusal(promise: Promise<unknown>): Promise<IptablesError> {
  let failure: unknown;
  try {
    await promise;
  } catch (error) {
    failure = error;
  }
  assert.ok(failure instanceof IptablesError, `expected an IptablesError, got ${String(failure)}`);
  return failure;
}
