import type { Statement } from 'nftables-json';
import { matchOurBits, writeOurBits } from './mark-bits.js';
import { MAC_KEY, matchDevice } from './selection.js';
import type { ChainSpec, RuleSpec, SetSpec } from './structure.js';
import type { Policy, Site, Vacancy } from './world.js';
import { gatewayMark } from './world.js';

/** Links with more unknown routers at the same moment are rare; each vacancy is a rule, a route and a neighbour. */
export const VACANCIES_PER_LINK = 4;

/**
 * So many answers are held for a router that is not known yet, then they take the normal route: the kernel keeps about
 * as many for a neighbour (net/ipv4/neigh/default/unres_qlen), and without a sidecar nobody lets them go.
 */
export const HELD_ANSWERS = 100;

/** Which router took which vacancy: device, MAC, and the conntrack mark that its flow got. */
export const TAKERS_SET = 'takers';

/** Seconds for which a taker is noted after its last frame; its vacancy stays taken. */
const TAKER_SECONDS = 60;
const MAX_TAKERS = 256;

/** `vacant_7`: the set that has the router which took the id 7, and room for no other. */
export function vacancySet(id: number): string {
  return `${VACANCY_SET_PREFIX}${id}`;
}

/** What the names of {@link vacancySet} begin with. */
export const VACANCY_SET_PREFIX = 'vacant_';

/** The sets of vacancies, and who took them. */
export function vacancySets(vacancies: readonly Vacancy[]): [string, SetSpec][] {
  // Without a timeout of its own, an element stays; nft 1.0.6 takes the one flag only beside the other.
  const one: SetSpec = {
    kind: 'set',
    spec: { type: ['ifname', 'ether_addr'], flags: ['dynamic', 'timeout'], size: 1 },
  };
  const takers: SetSpec = {
    kind: 'set',
    spec: {
      type: ['ifname', 'ether_addr', 'mark'],
      flags: ['dynamic', 'timeout'],
      size: MAX_TAKERS,
      timeout: TAKER_SECONDS,
    },
  };
  return [[TAKERS_SET, takers], ...vacancies.map(({ id }): [string, SetSpec] => [vacancySet(id), one])];
}

/**
 * What happens to a frame whose sender is no known gateway: its flow gets the first vacant id of its link. A set with
 * room for one element makes that safe: adding the router that is in it already succeeds, adding another one ends the
 * rule (`NFT_BREAK`), and the next vacancy is tried. The oldest come first, so that a router finds its own again.
 */
export function takeVacancyRules({ policy, vacancies = [] }: Pick<Site, 'policy' | 'vacancies'>): RuleSpec[] {
  return vacancies.map(({ id, device }) => ({
    expr: [
      matchDevice([{ device }]),
      { set: { op: 'add', elem: MAC_KEY, set: `@${vacancySet(id)}` } },
      writeOurBits('ct', policy, gatewayMark(policy, id)),
      { set: { op: 'update', elem: { concat: [...MAC_KEY.concat, CT_MARK] }, set: `@${TAKERS_SET}` } },
      { accept: null },
    ],
  }));
}

/** The chain that sends an answer to a router that took a vacancy: some are held until the sidecar knows it. */
export function heldAnswers(policy: Policy, { id }: Vacancy, noGateway: string): ChainSpec {
  return {
    base: {},
    rules: [
      { expr: [HOLD, { counter: null }, writeOurBits('meta', policy, gatewayMark(policy, id))] },
      { expr: [matchOurBits('meta', policy, '=='), { goto: { target: noGateway } }] },
    ],
  };
}

const CT_MARK = { ct: { key: 'mark' } } as const;
const HOLD: Statement = { limit: { rate: 1, per: 'day', burst: HELD_ANSWERS } };
