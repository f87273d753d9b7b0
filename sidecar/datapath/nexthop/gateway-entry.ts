import type { Gateway } from '../../../rules/index.js';

/** A gateway as the table keeps it. */
export interface Entry {
  readonly id: number;
  readonly device: string;
  /** The MAC whose frames are learnt as this gateway; null of one that an older version left without. */
  readonly home: string | null;
  /** Where answers go. */
  mac: string;
  /** Where they went before the last move; null if they never moved, or moved back. */
  left: string | null;
  /** A selected frame came from it, or it was adopted from a table where it had been in use. */
  isActive: boolean;
  /** A command moved it: only another command moves it again. */
  isOrdered: boolean;
  /** What {@link toGateway} made of it last. */
  view?: Gateway;
}

/** The gateway as others see it. The same object until something changes: what follows from a gateway is remembered by it. */
export function toGateway(entry: Entry): Gateway {
  const { id, device, mac, home, isOrdered, view } = entry;
  if (view?.mac === mac && (view.isOrdered === true) === isOrdered) return view;
  entry.view = { id, device, mac, sources: home === null ? [] : [home], ...(isOrdered ? { isOrdered } : {}) };
  return entry.view;
}
