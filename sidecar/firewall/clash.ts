import type { Policy } from '../../rules/index.js';
import { GwmarkError } from '../errors.js';

/** Something with the name of our rules belongs to another program. */
export function notOurs(what: string): GwmarkError {
  return new GwmarkError('FIREWALL_CLASH', `${what} belongs to another program; set table to another name`);
}

/** What a chain of another program does with our bits of a mark, in a sentence. */
export function markClash(chain: string, policy: Pick<Policy, 'markMask'>): string {
  return `${chain} sets mark bits of mark.mask (0x${policy.markMask.toString(16)}): change mark.mask`;
}
