const UNITS = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
] as const;

/** A time span in its two largest units: `12s`, `3m 20s`, `2d 4h`. Negative spans (clocks differ) are `0s`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const start = UNITS.findIndex(([, size]) => seconds >= size);
  if (start === -1) return '0s';
  const parts: string[] = [];
  let rest = seconds;
  for (const [name, size] of UNITS.slice(start, start + 2)) {
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(`${count}${name}`);
    rest %= size;
  }
  return parts.join(' ');
}

/** What is valid for {@link parseDuration}; completes "expected ...". */
export const DURATION_EXPECTED = 'a number and a unit, such as 60s, 10m, 2h or 1d';

/** Reads `60s`, `10m`, `2h`, `1d`, or a number of seconds. @returns whole seconds; null for other text */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,9})(s|m|h|d)?$/.exec(text);
  if (match === null) return null;
  const size = UNITS.find(([name]) => name === (match[2] ?? 's'))?.[1] ?? 1;
  return Number(match[1]) * size;
}
