import { createHash } from 'node:crypto';
import type { Family, Ipset, Iptables, ListedChain, ListedSet, RuleWords } from 'iptables-wrapper';
import type { ClientNetwork, IptablesChain, OriginalSysctl, Transport } from '../../rules/index.js';
import {
  IPTABLES_CHAINS,
  IPTABLES_ORIGINS,
  LAYOUT_COMMENT,
  iptablesPrefix,
  networkKey,
  parseNetwork,
  parseOrderComment,
  parseOriginalComment,
  parseTransportComment,
} from '../../rules/index.js';
import type { Count, RuleCounters } from './firewall.js';

/** A rule that leads from a source MAC to the chain of its gateway, with what it counted. */
export interface SourceRule {
  readonly id: number;
  readonly device: string;
  readonly mac: string;
  readonly packets: number;
}

/** What is in the tables mangle under our names. */
export interface InstalledChains {
  /** `none`: there is nothing. `foreign`: another program's. `outdated`: ours, of another layout. */
  readonly owner: 'none' | 'ours' | 'outdated' | 'foreign';
  /** In the order in which they can be taken away from the end; their rules are not compared (`null`). */
  readonly chains: readonly IptablesChain[];
  readonly savedSysctls: readonly OriginalSysctl[];
  readonly transports: readonly Transport[];
  /** Gateway id -> source MACs that are learnt as it. */
  readonly gateways: ReadonlyMap<number, readonly { readonly device: string; readonly mac: string }[]>;
  readonly orders: readonly { readonly device: string; readonly mac: string }[];
  /** Of both families. */
  readonly counters: RuleCounters;
  /** Of transport flows. */
  readonly uplinkRules: readonly SourceRule[];
  /** Changes when anything but counters changes. */
  readonly fingerprint: string;
}

/** The table mangle of each family. */
export type ListedMangles = readonly { readonly family: Family; readonly chains: readonly ListedChain[] }[];

/** Chains whose last rules count why packets took the normal route. */
const REASONS: Readonly<Record<string, string>> = {
  [IPTABLES_CHAINS.unknown]: 'learn_unknown_mac',
  [IPTABLES_CHAINS.noGateway]: 'return_no_gateway',
};

/**
 * Lists the tables mangle and reads what is ours out of them. iptables-legacy makes a table that is missing.
 *
 * @throws IptablesError
 */
export async function listChains(iptables: Iptables, table: string): Promise<InstalledChains> {
  const mangles = await Promise.all(
    iptables.families.map(async (family) => ({
      family,
      chains: (await iptables.list({ family, table: 'mangle' })).chains,
    })),
  );
  return readChains(mangles, table);
}

/**
 * Lists the sets that have our prefix.
 *
 * @throws IptablesError
 */
export async function listSets(ipset: Ipset, table: string): Promise<readonly ListedSet[]> {
  return (await ipset.list()).filter(({ name }) => name.startsWith(iptablesPrefix(table)));
}

/** Reads what is ours out of the tables mangle. Pure. */
export function readChains(mangles: ListedMangles, table: string): InstalledChains {
  const prefix = iptablesPrefix(table);
  const chains: IptablesChain[] = [];
  const comments: string[] = [];
  const gateways = new Map<number, { device: string; mac: string }[]>();
  const received = new Map<number, Count>();
  const sent = new Map<number, Count>();
  const fallThrough = new Map<string, Count>();
  const uplinkRules: SourceRule[] = [];
  const hash = createHash('sha256');
  for (const { family, chains: listed } of mangles) {
    for (const chain of listed) {
      const isOurs = chain.name.startsWith(prefix);
      const rules = isOurs ? chain.rules : chain.rules.filter(({ words }) => leadsTo(words)?.startsWith(prefix));
      if (!isOurs && rules.length === 0) continue;
      hash.update(JSON.stringify([family, chain.name, rules.map(({ words }) => words)]));
      if (!isOurs) continue;
      const from =
        IPTABLES_ORIGINS.find((origin) =>
          listed.some(
            ({ name, rules: all }) => name === origin && all.some(({ words }) => leadsTo(words) === chain.name),
          ),
        ) ?? null;
      chains.push({ family, name: chain.name, rules: null, from });
      const name = chain.name.slice(prefix.length);
      if (name === IPTABLES_CHAINS.about)
        comments.push(...chain.rules.flatMap(({ words }) => valueOf(words, '--comment') ?? []));
      const counting = chain.rules.filter(({ words }) => leadsTo(words) !== 'SET');
      const learntAs = idOf(IPTABLES_CHAINS.learn, name);
      const returnedTo = idOf(IPTABLES_CHAINS.return, name);
      if (learntAs !== null) addCount(received, learntAs, counting);
      else if (returnedTo !== null) addCount(sent, returnedTo, counting);
      else if (name in REASONS) addCount(fallThrough, REASONS[name] ?? name, counting);
      if (learntAs !== null && !gateways.has(learntAs)) gateways.set(learntAs, []);
      if (name !== IPTABLES_CHAINS.learn && name !== IPTABLES_CHAINS.transport) continue;
      for (const { words, counters } of chain.rules) {
        const source = sourceOf(words, prefix, Number(counters?.packets ?? 0));
        if (source === null) continue;
        if (name === IPTABLES_CHAINS.transport) uplinkRules.push(source);
        else noteSource(gateways, source);
      }
    }
  }
  return {
    owner: ownerOf(chains, comments),
    chains,
    savedSysctls: comments.map(parseOriginalComment).filter((original) => original !== null),
    transports: comments.map(parseTransportComment).filter((transport) => transport !== null),
    gateways,
    orders: comments.map(parseOrderComment).filter((order) => order !== null),
    counters: { received, sent, fallThrough },
    uplinkRules,
    fingerprint: hash.digest('base64'),
  };
}

/** Reads the client networks out of sets of ours, by key of network. */
export function readClientSets(
  sets: readonly ListedSet[],
  table: string,
  deviceOf: (address: string) => string,
): Map<string, ClientNetwork> {
  const clients = new Map<string, ClientNetwork>();
  for (const { name, elements } of sets) {
    const match = /^(client|subnet|all)([46])$/.exec(name.slice(iptablesPrefix(table).length));
    if (match === null) continue;
    // Two halves stand for everything.
    const texts =
      match[1] === 'all'
        ? elements.length === 2
          ? [match[2] === '4' ? '0.0.0.0/0' : '::/0']
          : []
        : elements.map(({ value }) => value);
    for (const text of texts) {
      const network = parseNetwork(text);
      if (network === null) continue;
      const client = { ...network, device: deviceOf(network.address) };
      clients.set(networkKey(client), client);
    }
  }
  return clients;
}

function ownerOf(chains: readonly IptablesChain[], comments: readonly string[]): InstalledChains['owner'] {
  if (comments.includes(LAYOUT_COMMENT)) return 'ours';
  if (comments.some((comment) => comment.startsWith('gwmark layout '))) return 'outdated';
  return chains.length === 0 ? 'none' : 'foreign';
}

/** Both families have the same sources. */
function noteSource(gateways: Map<number, { device: string; mac: string }[]>, { id, device, mac }: SourceRule): void {
  const known = gateways.get(id) ?? [];
  gateways.set(id, known);
  if (!known.some((source) => source.device === device && source.mac === mac)) known.push({ device, mac });
}

function sourceOf(words: RuleWords, prefix: string, packets: number): SourceRule | null {
  const [device, mac, target] = [valueOf(words, '-i'), valueOf(words, '--mac-source'), leadsTo(words)];
  const id = target?.startsWith(prefix) === true ? idOf(IPTABLES_CHAINS.learn, target.slice(prefix.length)) : null;
  return device === undefined || mac === undefined || id === null
    ? null
    : { id, device, mac: mac.toLowerCase(), packets };
}

/** 7 of `learn-7`. */
function idOf(kind: string, name: string): number | null {
  const digits = name.startsWith(`${kind}-`) ? name.slice(kind.length + 1) : '';
  return /^\d{1,3}$/.test(digits) ? Number(digits) : null;
}

function addCount<Key>(counts: Map<Key, Count>, key: Key, rules: ListedChain['rules']): void {
  let { packets, bytes } = counts.get(key) ?? { packets: 0, bytes: 0 };
  for (const { counters } of rules) {
    packets += Number(counters?.packets ?? 0n);
    bytes += Number(counters?.bytes ?? 0n);
  }
  counts.set(key, { packets, bytes });
}

function leadsTo(words: RuleWords): string | undefined {
  return valueOf(words, '-g') ?? valueOf(words, '-j');
}

function valueOf(words: RuleWords, option: string): string | undefined {
  const at = words.indexOf(option);
  return at === -1 ? undefined : words[at + 1];
}
