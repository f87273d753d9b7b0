import type { Command, Family, RuleWords, SetCommand, SetSpec } from 'iptables-wrapper';
import { addressBits } from './address.js';
import type { ClientNetworkChange } from './clients.js';
import { changesBySet } from './clients.js';
import { iptablesPrefix } from './iptables-names.js';
import type { ClientNetwork, Policy } from './world.js';

/** The machine's features that the rules depend on. */
export interface IptablesMachine {
  readonly families: readonly Family[];
  /** ipset has the type `hash:mac`, in which the packet path can note source MACs. */
  readonly hasMacSets: boolean;
}

/** Built-in iptables chains that contain the jumps to ours. */
export const IPTABLES_ORIGINS = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT'] as const;

export type IptablesOrigin = (typeof IPTABLES_ORIGINS)[number];

/** A chain of ours in the table mangle. `rules: null` means "unknown": it is rewritten at the next change. */
export interface IptablesChain {
  readonly family: Family;
  readonly name: string;
  readonly rules: readonly RuleWords[] | null;
  /** The chain from which one jump leads here; null if only chains of ours do. */
  readonly from: IptablesOrigin | null;
}

/** Our chains in table mangle and our sets, without the elements of clients. */
export interface IptablesRules {
  /** In the order in which they can be made: a chain comes after those that it leads to. */
  readonly chains: readonly IptablesChain[];
  /** By name. */
  readonly sets: ReadonlyMap<string, SetSpec>;
  /**
   * What the MACs are of that the sets of links note: frames that no gateway's rule knew, or answers of an OpenVPN
   * client's server.
   */
  readonly notes: 'candidates' | 'uplinks';
}

/** Empty rules, for a start without earlier rules. */
export const NO_IPTABLES_RULES: IptablesRules = { chains: [], sets: new Map(), notes: 'candidates' };

/** Names of the chains, without the prefix. */
export const IPTABLES_CHAINS = {
  prerouting: 'in',
  /** For packets that stay here and for those that pass, behind DNAT. */
  input: 'input',
  forward: 'forward',
  output: 'out',
  link: 'link',
  /** The same as `link` once more, for packets that were translated since. */
  translated: 'translated',
  select: 'select',
  transport: 'transport',
  learn: 'learn',
  return: 'return',
  /** Clears the mark of a packet that goes to its gateway, for another program's flowtable. */
  clear: 'clear',
  /** Packets of flows without a gateway. */
  unmarked: 'unmarked',
  /** Frames of VPN flows whose source is no known gateway. */
  unknown: 'unknown',
  /** Packets of a tunnel that answer a flow without a gateway: they take the normal route. */
  noGateway: 'no-gateway',
  /** No packet passes it: its comments keep what must outlive the sidecar. */
  about: 'about',
} as const;

/** More than the clients of any server; a set uses memory only for its elements. */
const MAX_ELEMENTS = 1_048_576;
/** The largest number of MACs per device. */
const MAX_SEEN = 1024;

/** Commands that turn one state of rules into another. Sets come before the rules that refer to them, and go after. */
export interface IptablesDiff {
  readonly sets: readonly SetCommand[];
  readonly rules: readonly Command[];
  readonly goneSets: readonly string[];
}

/** The difference of two states; elements of clients are not part of it. */
export function diffIptables(from: IptablesRules, to: IptablesRules): IptablesDiff {
  const known = new Map(from.chains.map((chain) => [chainKey(chain), chain]));
  const wanted = new Set(to.chains.map(chainKey));
  const rules: Command[] = [];
  for (const { family, name: chain, rules: words, from: origin } of to.chains) {
    const before = known.get(`${family} ${chain}`);
    const place = { family, table: 'mangle', chain } as const;
    if (words !== null && !isSameRules(before?.rules ?? null, words))
      rules.push({ replace: { ...place, rules: words } });
    // Our jumps come first, because another program's rule that accepts a packet would end its path through the table.
    if (origin !== null) rules.push({ jump: { family, table: 'mangle', chain: origin, target: chain, at: 'first' } });
  }
  const gone = from.chains.filter((chain) => !wanted.has(chainKey(chain)));
  // Emptied first, because a chain cannot be deleted while another leads to it.
  for (const { family, name: chain } of gone) rules.push({ replace: { family, table: 'mangle', chain, rules: [] } });
  for (const { family, name: chain, from: origin } of gone) {
    if (origin !== null) rules.push({ unjump: { family, table: 'mangle', chain: origin, target: chain } });
    rules.push({ destroy: { family, table: 'mangle', chain } });
  }
  const sets = [...to.sets.values()]
    .filter(({ name }) => !from.sets.has(name))
    .map((spec): SetCommand => ({ ensure: spec }));
  return { sets, rules, goneSets: [...from.sets.keys()].filter((name) => !to.sets.has(name)) };
}

function chainKey({ family, name }: IptablesChain): string {
  return `${family} ${name}`;
}

function isSameRules(a: readonly RuleWords[] | null, b: readonly RuleWords[]): boolean {
  return a !== null && JSON.stringify(a) === JSON.stringify(b);
}

/**
 * The sets of client networks of one family: addresses, subnets of any length, and a set of halves for `0.0.0.0/0`,
 * which `hash:net` does not take.
 */
export function iptablesClientSets(policy: Pick<Policy, 'table'>, family: Family): SetSpec[] {
  const prefix = iptablesPrefix(policy.table);
  return [
    { name: `${prefix}client${family}`, type: 'hash:ip', family, maxElements: MAX_ELEMENTS },
    { name: `${prefix}subnet${family}`, type: 'hash:net', family, maxElements: MAX_ELEMENTS },
    { name: `${prefix}all${family}`, type: 'hash:net', family },
  ];
}

/** The set that a client network belongs into. */
export function iptablesSetName(table: string, network: Pick<ClientNetwork, 'family' | 'prefixLength'>): string {
  const { family, prefixLength } = network;
  const kind = prefixLength === addressBits(family) ? 'client' : prefixLength === 0 ? 'all' : 'subnet';
  return `${iptablesPrefix(table)}${kind}${family}`;
}

/** What stands for a client network in its set. */
export function iptablesElements(network: ClientNetwork): readonly string[] {
  if (network.prefixLength === 0) return network.family === 4 ? ['0.0.0.0/1', '128.0.0.0/1'] : ['::/1', '8000::/1'];
  return [
    network.prefixLength === addressBits(network.family)
      ? network.address
      : `${network.address}/${network.prefixLength}`,
  ];
}

/** The commands for changes of clients; without networks of families that the machine does not have. */
export function iptablesClientCommands(
  table: string,
  changes: Iterable<ClientNetworkChange>,
  families: readonly Family[],
): SetCommand[] {
  const ofFamilies = [...changes].filter(({ network }) => families.includes(network.family));
  const bySet = changesBySet(ofFamilies, (network) => iptablesSetName(table, network), iptablesElements);
  return [...bySet].flatMap(([name, { add, remove }]): SetCommand[] => [
    ...(remove.length > 0 ? [{ discard: { name, values: remove } }] : []),
    ...(add.length > 0 ? [{ put: { name, elements: add.map((value) => ({ value })) } }] : []),
  ]);
}

/** The set of source MACs that arrived on this device. */
export function iptablesSeenSet(table: string, device: string): string {
  const prefix = `${iptablesPrefix(table)}seen`;
  const name = `${prefix}-${device}`;
  // A device name may be invalid for a set, and never contains a colon.
  return name.length <= 30 && /^[A-Za-z0-9_.-]+$/.test(device) ? name : `${prefix}:${fnv(device)}`;
}

export function iptablesSeenSpec(table: string, device: string, timeoutSeconds: number): SetSpec {
  return { name: iptablesSeenSet(table, device), type: 'hash:mac', timeoutSeconds, maxElements: MAX_SEEN };
}

/** FNV-1a, 32 bits. */
function fnv(text: string): string {
  let hash = 0x811c9dc5;
  for (const char of text) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193) >>> 0;
  return hash.toString(16).padStart(8, '0');
}
