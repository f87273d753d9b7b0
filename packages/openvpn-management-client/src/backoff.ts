/** Waiting times between attempts to connect. */
export interface Backoff {
  /** Bound of the first wait, 1..60000 ms, default 250. */
  readonly baseMs: number;
  /** Bound of every wait, `baseMs`..3600000 ms, default 10000. */
  readonly maxMs: number;
}

/**
 * The wait before attempt `attempt` + 1: evenly spread over 0..min(maxMs, baseMs * 2^(attempt-1)), so that a thousand
 * sidecars whose daemons restart together do not come back together ("full jitter").
 *
 * @param attempt 1 after the first failure
 * @param random a number in 0 (included) .. 1 (not)
 */
export function backoffDelayMs({ baseMs, maxMs }: Backoff, attempt: number, random: number): number {
  // Beyond 2^30 the exponent no longer matters: maxMs is smaller.
  return Math.floor(random * Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, 30)));
}
