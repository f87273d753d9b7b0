import { formatBytes } from '../sidecar/live/format-bytes.js';
import type { Rate } from '../sidecar/live/measure.js';

/** Bytes, or a dash where nothing counts. */
export function bytes(count: number | null | undefined): string {
  return count === null || count === undefined ? '-' : formatBytes(count);
}

/** Bytes a second in both directions, or a dash. */
export function bothWays({ received, sent }: Rate): string {
  if (received === null && sent === null) return '-';
  return `${bytes(received)}/s in, ${bytes(sent)}/s out`;
}

/** The same for little room: in, out. */
export function briefly({ received, sent }: Rate): string {
  return `${bytes(received)}, ${bytes(sent)} /s`;
}

/** A count with separators. */
export function formatRate(count: number): string {
  return count.toLocaleString('en');
}

/** Both directions together; 0 where nothing counts. */
export function total({ received, sent }: Rate): number {
  return (received ?? 0) + (sent ?? 0);
}

/** The time between two moments: `12 s`, `3 min`, `2 h`, `4 d`. */
export function age(sinceMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.floor((nowMs - sinceMs) / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}
