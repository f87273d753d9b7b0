import { ManagementError } from './errors.js';

/**
 * OpenVPN's client id: decimal digits, no leading zero. Text, because the daemon counts in an `unsigned long`
 * (64 bits) and a number would round. Unique only within one epoch: the daemon starts at 0 again after SIGUSR1 and
 * SIGHUP.
 */
export type Cid = string & { readonly __brand: 'Cid' };

/** OpenVPN's key id within one client: grows with every renegotiation, not always by one. Decimal digits. */
export type Kid = string & { readonly __brand: 'Kid' };

/** One OpenVPN session, identified permanently: a CID with the epoch in which it was assigned. */
export interface ClientKey {
  readonly epoch: number;
  readonly cid: Cid;
}

const DIGITS = /^(?:0|[1-9]\d{0,19})$/;
const LARGEST = 2n ** 64n - 1n;

function isId(text: string): boolean {
  return DIGITS.test(text) && (text.length < 16 || BigInt(text) <= LARGEST);
}

/** @throws ManagementError MGMT_ARGUMENT unless `text` is 0..2^64-1 in decimal digits */
export function parseCid(text: string): Cid {
  if (!isId(text))
    throw new ManagementError('MGMT_ARGUMENT', `CID ${JSON.stringify(text)} is not a number in 0..2^64-1`);
  return text as Cid; // checked on the line above
}

/** @throws ManagementError MGMT_ARGUMENT unless `text` is 0..2^64-1 in decimal digits */
export function parseKid(text: string): Kid {
  if (!isId(text))
    throw new ManagementError('MGMT_ARGUMENT', `KID ${JSON.stringify(text)} is not a number in 0..2^64-1`);
  return text as Kid; // checked on the line above
}

/** A CID from received text, or undefined. */
export function readCid(text: string): Cid | undefined {
  return isId(text) ? (text as Cid) : undefined; // checked by isId
}

/** A KID from received text, or undefined. */
export function readKid(text: string): Kid | undefined {
  return isId(text) ? (text as Kid) : undefined; // checked by isId
}
