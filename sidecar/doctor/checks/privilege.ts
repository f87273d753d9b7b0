import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

/** Whether the doctor can check everything. */
export const privilege: Check = {
  name: 'privilege',
  doc: "The doctor can check everything; without CAP_NET_ADMIN it skips some checks, and without root it cannot inspect OpenVPN's process.",
  needsNetAdmin: false,
  look: async ({ hasNetAdmin }) => [judgePrivilege(hasNetAdmin, process.geteuid?.() === 0)],
};

export function judgePrivilege(hasNetAdmin: boolean, isRoot: boolean): Judgement {
  const expected = 'root, to check everything';
  if (hasNetAdmin && isRoot) return fine('privilege', 'root', expected);
  const found = hasNetAdmin
    ? 'CAP_NET_ADMIN, but not root: other processes are not visible'
    : 'no CAP_NET_ADMIN: some checks are skipped';
  return { severity: 'info', subject: 'privilege', found, expected, remedy: 'run gwmark doctor as root' };
}
