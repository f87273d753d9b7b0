import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

/** This version was released after this time: an earlier clock is wrong. */
const WRITTEN_MS = Date.UTC(2026, 0, 1);

/** The clock is not obviously wrong. */
export const clock: Check = {
  name: 'clock',
  doc: 'The clock is not earlier than the release of this version: certificates would not be valid yet, and no client could log in.',
  needsNetAdmin: false,
  look: async ({ nowMs }) => [judgeClock(nowMs)],
};

export function judgeClock(nowMs: number): Judgement {
  const now = `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
  const expected = `after ${new Date(WRITTEN_MS).toISOString().slice(0, 10)}`;
  if (nowMs >= WRITTEN_MS) return fine('clock', now, expected);
  return {
    severity: 'error',
    subject: 'clock',
    found: now,
    expected,
    remedy: 'set the clock (timedatectl set-ntp true): OpenVPN rejects certificates that are not valid yet',
  };
}
