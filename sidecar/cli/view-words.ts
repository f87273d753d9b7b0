import type { TransportStatus } from '../status.js';
import { formatDuration } from './duration.js';

/** How text for a terminal is formatted. */
export interface ViewOptions {
  readonly hasColours: boolean;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/** How long ago that was; the text itself if it is no time. */
export function formatSince(since: string, nowMs: number): string {
  const start = Date.parse(since);
  return Number.isNaN(start) ? since : formatDuration(nowMs - start);
}

/** `udp 192.0.2.10:1194` */
export function formatTransport({ protocol, address, port }: TransportStatus, direction: '' | 'to '): string {
  return `${protocol} ${direction}${bracketed(address)}:${port}`;
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

/** `1 client`, `2 clients` */
export function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}
