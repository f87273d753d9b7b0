import type { Gateway } from '../../../rules/index.js';

/** A gateway as the table keeps it. */
export interface Entry {
  readonly id: number;
  readonly device: string;
  /** The MAC whose frames are learnt as this gateway; null of a second id of a router, and of one that was left without. */
  readonly home: string | null;
  /** The MAC that its flows came from, as far as it is known: its answers go there while nothing moves. */
  readonly origin: string;
  /** Where answers go. */
  mac: string;
  /** Where they went before the last move; null if they never moved, or moved back. */
  left: string | null;
  /** A selected frame came from it, or it was adopted from a table where it had been in use. */
  isActive: boolean;
  /** A command moved it: only another command moves it again. */
  isOrdered: boolean;
  /** Until then (monotonic milliseconds), claims of its addresses are looked into before they are believed. */
  trustedUntilMs: number;
  /** It answered no probe, and nothing came from it since. */
  isDead: boolean;
  /** What {@link toGateway} made of it last. */
  view?: Gateway;
}

/** An entry of which nothing else is known. */
export function makeEntry({
  id,
  device,
  home,
  mac,
  origin = home ?? mac,
  left = null,
  isActive,
  isOrdered,
}: Pick<Entry, 'id' | 'device' | 'home' | 'mac' | 'isActive' | 'isOrdered'> & {
  readonly origin?: string;
  readonly left?: string | null;
}): Entry {
  return { id, device, home, origin, mac, left, isActive, isOrdered, trustedUntilMs: 0, isDead: false };
}

/** The gateway as others see it. The same object until something changes: what follows from a gateway is remembered by it. */
export function toGateway(entry: Entry): Gateway {
  const { id, device, mac, home, isOrdered, isDead, view } = entry;
  if (view?.mac === mac && (view.isOrdered === true) === isOrdered && (view.isDead === true) === isDead) return view;
  const flags = { ...(isOrdered ? { isOrdered } : {}), ...(isDead ? { isDead } : {}) };
  entry.view = { id, device, mac, sources: home === null ? [] : [home], ...flags };
  return entry.view;
}

/** What entries are found by. */
export function key(device: string, mac: string): string {
  return `${device} ${mac}`;
}
