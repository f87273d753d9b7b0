import { createHash } from 'node:crypto';
import type { Family, Ipset, Iptables, ListedChain, ListedSet, RuleWords } from 'iptables-wrapper';
import type { About, ClientNetwork, IptablesChain } from '../../rules/index.js';
import {
  IPTABLES_CHAINS,
  IPTABLES_ORIGINS,
  iptablesPrefix,
  networkKey,
  parseNetwork,
  readAbout,
} from '../../rules/index.js';
import type { CountingChains } from './chain-counters.js';
import { ChainCounters, idOfChain } from './chain-counters.js';
import type { Count, Installed, RuleCounters } from './firewall.js';

/** A rule that leads from a source MAC to the chain of its gateway, with what it counted. */
export interface SourceRule {
  readonly id: number;
  readonly device: string;
  readonly mac: string;
  readonly packets: number;
}

/** What is in the tables mangle under our names. */
export interface InstalledChains extends Pick<Installed, keyof Omit<About, 'layout'> | 'gateways'> {
  /** `none`: there is nothing. `foreign`: another program's. `outdated`: ours, of another layout. */
  readonly owner: 'none' | 'ours' | 'outdated' | 'foreign';
  /** In the order in which they can be taken away from the end; their rules are not compared (`null`). */
  readonly chains: readonly IptablesChain[];
  /** Of both families. */
  readonly counters: RuleCounters;
  /** Of transport flows. */
  readonly uplinkRules: readonly SourceRule[];
  /** Changes when anything but counters changes. */
  readonly fingerprint: string;
}

/** The table mangle of each family. */
export type ListedMangles = readonly { readonly family: Family; readonly chains: readonly ListedChain[] }[];

/** The chains that count, without our prefix. */
const COUNTING: CountingChains = {
  learn: `${IPTABLES_CHAINS.learn}-`,
  return: `${IPTABLES_CHAINS.return}-`,
  unknownMac: IPTABLES_CHAINS.unknown,
  noGateway: IPTABLES_CHAINS.noGateway,
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
  const counted = new ChainCounters(COUNTING);
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
      counted.add(name, chain.rules.filter(({ words }) => leadsTo(words) !== 'SET').map(countOf));
      const learntAs = idOfChain(COUNTING.learn, name);
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
  const { layout, ...about } = readAbout(comments);
  return {
    owner: layout === 'none' && chains.length > 0 ? 'foreign' : layout,
    chains,
    ...about,
    gateways,
    counters: counted.sums,
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

/** Both families have the same sources. */
function noteSource(gateways: Map<number, { device: string; mac: string }[]>, { id, device, mac }: SourceRule): void {
  const known = gateways.get(id) ?? [];
  gateways.set(id, known);
  if (!known.some((source) => source.device === device && source.mac === mac)) known.push({ device, mac });
}

function sourceOf(words: RuleWords, prefix: string, packets: number): SourceRule | null {
  const [device, mac, target] = [valueOf(words, '-i'), valueOf(words, '--mac-source'), leadsTo(words)];
  const id = target?.startsWith(prefix) === true ? idOfChain(COUNTING.learn, target.slice(prefix.length)) : null;
  return device === undefined || mac === undefined || id === null
    ? null
    : { id, device, mac: mac.toLowerCase(), packets };
}

function countOf({ counters }: ListedChain['rules'][number]): Count {
  return { packets: Number(counters?.packets ?? 0n), bytes: Number(counters?.bytes ?? 0n) };
}

function leadsTo(words: RuleWords): string | undefined {
  return valueOf(words, '-g') ?? valueOf(words, '-j');
}

function valueOf(words: RuleWords, option: string): string | undefined {
  const at = words.indexOf(option);
  return at === -1 ? undefined : words[at + 1];
}
