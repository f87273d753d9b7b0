import { createHash } from 'node:crypto';
import type { Expression, MapPair, NftObject } from 'nftables-json';
import type {
  ChainSpec,
  ClientNetwork,
  FlowtableSpec,
  Policy,
  SetSpec,
  Structure,
  VerdictElement,
} from '../../rules/index.js';
import {
  ABOUT_CHAIN,
  LEARN_CHAIN,
  NOTHING,
  NO_GATEWAY_CHAIN,
  RELEARNT_CHAIN,
  VACANCY_SET_PREFIX,
  gatewayOfMark,
  networkKey,
  parseNetwork,
  readAbout,
} from '../../rules/index.js';
import type { CountingChains } from './chain-counters.js';
import { ChainCounters, idOfChain } from './chain-counters.js';
import type { Count, Installed, RuleCounters, SeenMac, Taker } from './firewall.js';

/** What is in the kernel under our table's name. */
export interface InstalledTable extends Installed {
  /** `foreign`: another program's. `outdated`: ours, of another layout; replace it as a whole. */
  readonly owner: 'ours' | 'outdated' | 'foreign';
  /** Names are certain; rules are not compared (`null`), so the next change rewrites every chain. */
  readonly structure: Structure;
  readonly counters: RuleCounters;
  /** Changes when anything but elements and counters changes. Computed when it is read, in time that counters do not need. */
  readonly fingerprint: string;
}

/** The chains that count. */
const COUNTING: CountingChains = {
  learn: 'learn_',
  return: 'return_',
  unknownMac: LEARN_CHAIN,
  noGateway: NO_GATEWAY_CHAIN,
};

/**
 * Reads a listing of our table, whole or terse; without elements, everything made of elements is empty.
 *
 * @param deviceOf the tunnel device that leads to a client network; listings do not say it
 */
export function readTable(objects: readonly NftObject[], deviceOf: (address: string) => string): InstalledTable {
  const sets = new Map<string, SetSpec>();
  const chains = new Map<string, ChainSpec>();
  const verdicts = new Map<string, ReadonlyMap<string, VerdictElement>>();
  const flowtables = new Map<string, FlowtableSpec>();
  let relearnt = 0;
  const clients = new Map<string, ClientNetwork>();
  const comments: string[] = [];
  const counters = new ChainCounters(COUNTING);
  let uplinks: readonly SeenMac[] = [];
  const vacancies = new Map<number, SeenMac | null>();
  for (const object of objects) {
    if ('set' in object) {
      const { name, elem = [] } = object.set;
      sets.set(name, { kind: 'set', spec: { type: object.set.type } });
      if (name === 'uplinks') uplinks = readSeenMacs(elem);
      const vacant = idOfChain(VACANCY_SET_PREFIX, name);
      if (vacant !== null) vacancies.set(vacant, readSeenMacs(elem)[0] ?? null);
      for (const network of readClients(name, elem, deviceOf)) clients.set(networkKey(network), network);
    } else if ('map' in object) {
      const { name, elem = [] } = object.map;
      sets.set(name, { kind: 'map', spec: { type: object.map.type, map: object.map.map } });
      verdicts.set(name, readVerdicts(elem));
    } else if ('flowtable' in object) {
      flowtables.set(object.flowtable.name, { devices: null, dependencies: [] });
    } else if ('chain' in object) {
      chains.set(object.chain.name, { base: {}, rules: null });
    } else if ('rule' in object) {
      const { chain, comment, expr } = object.rule;
      if (chain === ABOUT_CHAIN && comment !== undefined) comments.push(comment);
      const count = countOf(expr);
      if (count !== null) counters.add(chain, [count]);
      if (count !== null && chain === RELEARNT_CHAIN) relearnt += count.packets;
    }
  }
  const { layout, ...about } = readAbout(comments);
  const owner = layout === 'none' ? 'foreign' : layout;
  return {
    owner,
    structure: owner === 'ours' ? { sets, chains, verdicts, flowtables } : NOTHING,
    clients,
    ...about,
    gateways: readGateways(verdicts.get('gateways'), verdicts.get('returns'), vacancies),
    vacancies,
    uplinks,
    counters: { ...counters.sums, relearnt },
    get fingerprint() {
      return fingerprint(objects);
    },
  };
}

/** The elements of a dynamic set of device and MAC. */
export function readSeenMacs(elements: readonly Expression[]): SeenMac[] {
  return elements.flatMap((element) => {
    const wrapped = unwrap(element);
    const [device, mac] = concatOf(wrapped.value);
    return device === undefined || mac === undefined ? [] : [{ device, mac, expiresSeconds: wrapped.expires }];
  });
}

/** The elements of the set of takers: device, MAC and conntrack mark. */
export function readTakers(policy: Pick<Policy, 'markMask'>, elements: readonly Expression[]): Taker[] {
  return elements.flatMap((element) => {
    const [device, mac, mark] = concatOf(unwrap(element).value);
    return device === undefined || mac === undefined ? [] : [{ device, mac, id: gatewayOfMark(policy, Number(mark)) }];
  });
}

function readClients(
  setName: string,
  elements: readonly Expression[],
  deviceOf: (address: string) => string,
): ClientNetwork[] {
  const match = /^(?:client[46]|subnet[46]_(\d+))$/.exec(setName);
  if (match === null) return [];
  return elements.flatMap((element) => {
    const { value } = unwrap(element);
    if (typeof value !== 'string') return [];
    const network = parseNetwork(match[1] === undefined ? value : `${value}/${match[1]}`);
    return network === null ? [] : [{ ...network, device: deviceOf(network.address) }];
  });
}

function readVerdicts(pairs: readonly MapPair[]): ReadonlyMap<string, VerdictElement> {
  const elements = new Map<string, VerdictElement>();
  for (const [keyExpression, verdict] of pairs) {
    const { value } = unwrap(keyExpression);
    const key = typeof value === 'number' ? value : { concat: concatOf(value) };
    const chain = targetOf(verdict);
    if (chain !== null) elements.set(JSON.stringify(key), { key, chain });
  }
  return elements;
}

function readGateways(
  sources: ReadonlyMap<string, VerdictElement> | undefined,
  returns: ReadonlyMap<string, VerdictElement> | undefined,
  vacancies: ReadonlyMap<number, unknown>,
): ReadonlyMap<number, readonly { device: string; mac: string }[]> {
  const gateways = new Map<number, { device: string; mac: string }[]>();
  for (const { chain } of returns?.values() ?? []) {
    const id = idOfChain(COUNTING.return, chain);
    if (id !== null && !vacancies.has(id)) gateways.set(id, []);
  }
  for (const { key, chain } of sources?.values() ?? []) {
    const id = idOfChain(COUNTING.learn, chain);
    const [device, mac] = typeof key === 'number' ? [] : key.concat;
    if (id !== null && device !== undefined && mac !== undefined) gateways.get(id)?.push({ device, mac });
  }
  return gateways;
}

function countOf(statements: readonly object[]): Count | null {
  for (const statement of statements) {
    if (
      'counter' in statement &&
      typeof statement.counter === 'object' &&
      statement.counter !== null &&
      'packets' in statement.counter &&
      'bytes' in statement.counter
    ) {
      return { packets: Number(statement.counter.packets), bytes: Number(statement.counter.bytes) };
    }
  }
  return null;
}

/** An element with a timeout is in an object `elem`; one without is its value alone. */
function unwrap(expression: Expression): { value: unknown; expires: number | null } {
  if (typeof expression === 'object' && expression !== null && 'elem' in expression) {
    const { val, expires } = expression.elem as { val: unknown; expires?: number };
    return { value: val, expires: expires ?? null };
  }
  return { value: expression, expires: null };
}

function concatOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null || !('concat' in value) || !Array.isArray(value.concat)) return [];
  return value.concat.map(String);
}

function targetOf(verdict: unknown): string | null {
  if (typeof verdict !== 'object' || verdict === null || !('goto' in verdict)) return null;
  const target = (verdict.goto as { target?: unknown }).target;
  return typeof target === 'string' ? target : null;
}

const NOT_OURS: ReadonlySet<string> = new Set(['handle', 'elem', 'counter', 'dev']);

/** Over everything that only we may change: not handles, counters or elements, nor a flowtable's devices, which leave it when they go. */
function fingerprint(objects: readonly NftObject[]): string {
  const hash = createHash('sha256');
  for (const object of objects) {
    hash.update(JSON.stringify(object, (name, value: unknown) => (NOT_OURS.has(name) ? undefined : value)));
  }
  return hash.digest('base64');
}
