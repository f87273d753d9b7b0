import * as v from 'valibot';

import { DEVICE_NAME } from '../config/places.js';
import { MAC_WORD } from './move-order.js';

/** `gwmark forget`: the gateway at a MAC is none any more, until it sends again. */
export interface ForgetOrder {
  readonly device: string;
  /** The MAC whose frames are learnt as the gateway; lower case, colons. */
  readonly mac: string;
}

const ORDER = v.strictObject({ device: v.pipe(v.string(), v.regex(DEVICE_NAME)), mac: MAC_WORD });

/** What is valid; completes "expected ...". */
export const FORGET_ORDER_EXPECTED = 'a device name and a unicast MAC address, such as lan0 02:00:00:00:00:01';

/** Reads an order; null if it is none. Pure. */
export function parseForgetOrder(raw: unknown): ForgetOrder | null {
  const parsed = v.safeParse(ORDER, raw);
  return parsed.success ? parsed.output : null;
}
