import type { GwmarkErrorCode } from '../errors.js';

/** How the answer to an order begins that this version does not know. */
export const NO_SUCH_PAGE = 'no such page';

/** The status of an order that cannot be obeyed. */
const STATUS_OF: Readonly<Partial<Record<GwmarkErrorCode, number>>> = {
  GATEWAY_UNKNOWN: 404,
  CLIENT_UNKNOWN: 404,
  CLIENT_AMBIGUOUS: 409,
  HOLD_IMPOSSIBLE: 422,
};

/** The status of an error that answers an order; null if it is a fault. */
export function statusOfError(code: GwmarkErrorCode): number | null {
  return STATUS_OF[code] ?? null;
}

/** The error that a status of such a page means; null if none. */
export function codeOfStatus(page: string, status: number): GwmarkErrorCode | null {
  if (page === '/move' || page === '/forget') return status === 404 ? 'GATEWAY_UNKNOWN' : null;
  const found = Object.entries(STATUS_OF).find(([code, each]) => each === status && code !== 'GATEWAY_UNKNOWN');
  // The keys of the table are codes.
  return (found?.[0] as GwmarkErrorCode | undefined) ?? null;
}
