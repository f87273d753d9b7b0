import type { Statement } from 'nftables-json';
import type { RuleWords } from 'iptables-wrapper';
import type { Link } from './world.js';

/** A link-layer sender. */
export interface SourceMac {
  /** Null: on every link. */
  readonly device: string | null;
  /** Lower case, colons. */
  readonly mac: string;
}

/** The flows that a list of senders applies to: those of clients' networks, or those of OpenVPN's own sockets. */
export type SourceScope = 'clients' | 'transport';

/** The senders that gwmark does not learn from: those of the one list and, if there is the other, all that are not on it. */
export interface ScopeFilter {
  readonly exclude: readonly SourceMac[];
  /** Null: there is no such list. An empty list admits no sender. */
  readonly only: readonly SourceMac[] | null;
}

/** The settings `gateways.exclude` and `gateways.only`, with addresses resolved. */
export type SourceFilter = Readonly<Record<SourceScope, ScopeFilter>>;

/** True if the lists allow learning from a frame of this sender. */
export function isLearntFrom({ exclude, only }: ScopeFilter, device: string, mac: string): boolean {
  const isOn = (list: readonly SourceMac[]): boolean =>
    list.some((source) => source.mac === mac && (source.device === null || source.device === device));
  return !isOn(exclude) && (only === null || isOn(only));
}

/**
 * Matches, one per rule, for frames from a link whose sender the lists exclude.
 *
 * @param deviceKey what a device of the lists is compared with: the device that a packet came in by, or in a bridge
 * table the bridge
 */
export function matchExempt(
  filter: ScopeFilter | undefined,
  links: readonly Pick<Link, 'device'>[],
  deviceKey: 'iifname' | 'ibrname' = 'iifname',
): Statement[][] {
  return exemptions(filter, links).map(({ device, macs, isListed }): Statement[] => [
    ...(device === null ? [] : [{ match: { op: '==', left: { meta: { key: deviceKey } }, right: device } } as const]),
    ...(macs.length === 0
      ? []
      : [
          {
            match: {
              op: isListed ? '==' : '!=',
              left: { payload: { protocol: 'ether', field: 'saddr' } },
              right: macs.length === 1 ? (macs[0] ?? '') : { set: [...macs] },
            },
          } as const,
        ]),
  ]);
}

/** The same for iptables. */
export function iptablesExempt(filter: ScopeFilter | undefined, links: readonly Pick<Link, 'device'>[]): RuleWords[] {
  return exemptions(filter, links).flatMap(({ device, macs, isListed }): RuleWords[] => {
    const on = device === null ? [] : ['-i', device];
    // Several negated matches must all hold; of others, one rule each suffices.
    if (!isListed) return [[...on, ...macs.flatMap((mac) => ['-m', 'mac', '!', '--mac-source', mac])]];
    return macs.map((mac) => [...on, '-m', 'mac', '--mac-source', mac]);
  });
}

interface Exemption {
  readonly device: string | null;
  /** Distinct and sorted. */
  readonly macs: readonly string[];
  /** These are exempt; otherwise everyone except these. */
  readonly isListed: boolean;
}

function exemptions(filter: ScopeFilter | undefined, links: readonly Pick<Link, 'device'>[]): Exemption[] {
  if (filter === undefined) return [];
  const { exclude, only } = filter;
  const excluded = [null, ...links.map(({ device }) => device)].map((device) => ({
    device,
    macs: macsOf(exclude.filter((source) => source.device === device)),
    isListed: true,
  }));
  const others =
    only === null
      ? []
      : links.map(({ device }) => ({
          device,
          macs: macsOf(only.filter((source) => source.device === null || source.device === device)),
          isListed: false,
        }));
  return [...excluded.filter(({ macs }) => macs.length > 0), ...others];
}

function macsOf(sources: readonly SourceMac[]): string[] {
  return [...new Set(sources.map(({ mac }) => mac))].toSorted();
}
