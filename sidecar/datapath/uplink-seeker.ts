import { isUnicastMac, type Link } from '../../rules/index.js';
import type { ConfiguredUplink } from '../config/places.js';
import { macsSeenByBridge } from '../routing/bridge-forwarding.js';
import { ask, resolveQuestion } from '../routing/neighbour-questions.js';
import { usableNeighbours } from '../routing/neighbours.js';

/**
 * Whether an OpenVPN client needs a router to send to. `none`: there is no OpenVPN client. `seeking`: one
 * is not connected to its server. `satisfied`: all are.
 */
export type UplinkNeed = 'none' | 'seeking' | 'satisfied';

/** A router by its link-layer address. */
export interface Router {
  readonly device: string;
  /** Lower case, colons. */
  readonly mac: string;
}

/** How long to try a router. OpenVPN repeats its first packet after 2, 6, 14 s (UDP), or every second (TCP). */
const TRY_MS = 5000;
/** How long the router that answers came from before may be silent until others are tried again. */
const PROVEN_MS = 20_000;

/**
 * Where the packets of an OpenVPN client go as long as no answer of its server tells: to each known router in turn.
 * Routers pass on what is not for them, so most often the first will do; a host among them drops it.
 */
export class UplinkSeeker {
  #tried: Router | null = null;
  #sinceMs: number | null = null;

  /**
   * @param isProven answers came through the router in use
   * @param nowMs monotonic
   * @returns the router to use now; null to stay with the one in use
   */
  choose(need: UplinkNeed, candidates: readonly Router[], isProven: boolean, nowMs: number): Router | null {
    if (need !== 'seeking') {
      this.#sinceMs = null;
      return null;
    }
    this.#sinceMs ??= nowMs;
    const patienceMs = isProven ? PROVEN_MS : this.#tried === null ? 0 : TRY_MS;
    if (nowMs - this.#sinceMs < patienceMs || candidates.length === 0) return null;
    this.#sinceMs = nowMs;
    const index = candidates.findIndex((candidate) => isSame(candidate, this.#tried));
    this.#tried = candidates[(index + 1) % candidates.length] ?? null;
    return this.#tried;
  }
}

/** True for the same router. */
export function isSame(a: Router | null, b: Router | null): boolean {
  return a?.device === b?.device && a?.mac === b?.mac;
}

/**
 * Makes the kernel resolve the address of a configured router, or look whether it still is if it was.
 * A device that is not there (yet) is no failure: it is asked again.
 */
export async function resolveRouter({ device, address }: ConfiguredUplink): Promise<void> {
  if (address === null) return;
  await ask([resolveQuestion(device, address)]);
}

/** The router that the setting names, if the kernel knows its MAC. */
export async function configuredRouter(configured: ConfiguredUplink): Promise<Router | null> {
  const { device, mac, address } = configured;
  if (mac !== null) return { device, mac };
  const neighbours = await usableNeighbours();
  const found = neighbours.find(({ dev, dst }) => dev === device && dst === address);
  return found?.lladdr === undefined ? null : { device, mac: found.lladdr };
}

/**
 * Whom one might send to: neighbours on the links that the kernel knows, and on an inline endpoint, which may have
 * none, what its bridge has seen. In an order that stays the same.
 *
 * @param protocol that of our own neighbours, which stand for routers and are none
 */
export async function possibleRouters(links: readonly Link[], protocol: number): Promise<readonly Router[]> {
  const neighbours = (await usableNeighbours()).filter((neighbour) => neighbour.protocol !== String(protocol));
  const known = neighbours.flatMap(({ dev, lladdr }) => (lladdr === undefined ? [] : [{ device: dev, mac: lladdr }]));
  const bridged = await Promise.all(
    links
      .filter(({ isBridge }) => isBridge)
      .map(async ({ device }) => (await macsSeenByBridge(device)).map((mac) => ({ device, mac }))),
  );
  const all = [...known, ...bridged.flat()].filter(
    ({ device, mac }) => links.some((link) => link.device === device) && isUnicastMac(mac),
  );
  return [...new Map(all.map((router) => [`${router.device} ${router.mac}`, router])).values()].toSorted((a, b) =>
    a.mac < b.mac ? -1 : 1,
  );
}
