/** Microseconds of CLOCK_MONOTONIC: the same clock in every process of the machine. */
export function monotonicUs(): number {
  return Number(process.hrtime.bigint()) / 1000;
}
