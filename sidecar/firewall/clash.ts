import type { Policy } from '../../rules/index.js';
import { GwmarkError } from '../errors.js';

/** Something with the name of our rules belongs to another program. */
export function notOurs(what: string): GwmarkError {
  return new GwmarkError('FIREWALL_CLASH', `${what} belongs to another program; set table to another name`);
}

/** What another program's chain does with our mark bits, in one sentence. */
export function markClash(chain: string, policy: Pick<Policy, 'markMask'>): string {
  return `${chain} sets mark bits of mark.mask (0x${policy.markMask.toString(16)}): change mark.mask`;
}
