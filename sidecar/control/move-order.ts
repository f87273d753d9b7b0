import * as v from 'valibot';

import { isUnicastMac } from '../../rules/mac-address.js';
import { DEVICE_NAME } from '../config/places.js';

/** `gwmark move`: answers of the gateway at one MAC go to another from now on. */
export interface MoveOrder {
  readonly device: string;
  /** The MAC whose frames are learnt as the gateway; lower case, colons. */
  readonly from: string;
  /** Where its answers go; the same as `from`: to itself, and evidence counts again. */
  readonly to: string;
}

/** A unicast MAC address, in lower case. */
export const MAC_WORD = v.pipe(
  v.string(),
  v.transform((text) => text.toLowerCase()),
  v.check(isUnicastMac),
);

const ORDER = v.strictObject({ device: v.pipe(v.string(), v.regex(DEVICE_NAME)), from: MAC_WORD, to: MAC_WORD });

/** What is valid; completes "expected ...". */
export const MOVE_ORDER_EXPECTED =
  'a device name and two unicast MAC addresses, such as lan0 02:00:00:00:00:01 02:00:00:00:00:02';

/** Reads an order; null if it is none. Pure. */
export function parseMoveOrder(raw: unknown): MoveOrder | null {
  const parsed = v.safeParse(ORDER, raw);
  return parsed.success ? parsed.output : null;
}
