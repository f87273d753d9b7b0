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
