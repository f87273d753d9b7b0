/** The value below which `share` (0..1) of the samples lie, by nearest rank. NaN without samples. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const rank = Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1));
  return sorted[rank] ?? Number.NaN;
}

/** The middle sample. */
export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

/** How far samples lie apart: half the distance of their quartiles, in percent of the median. */
export function spreadPercent(samples: readonly number[]): number {
  return ((quantile(samples, 0.75) - quantile(samples, 0.25)) / 2 / median(samples)) * 100;
}
