import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

/** Whether everything can be looked at. */
export const privilege: Check = {
  name: 'privilege',
  doc: 'The doctor may look at everything; without CAP_NET_ADMIN some checks are left out, and without root it does not see into OpenVPN.',
  needsNetAdmin: false,
  look: async ({ hasNetAdmin }) => [judgePrivilege(hasNetAdmin, process.geteuid?.() === 0)],
};

export function judgePrivilege(hasNetAdmin: boolean, isRoot: boolean): Judgement {
  const expected = 'root, to look at everything';
  if (hasNetAdmin && isRoot) return fine('privilege', 'root', expected);
  const found = hasNetAdmin
    ? 'CAP_NET_ADMIN, but not root: other processes are out of sight'
    : 'no CAP_NET_ADMIN: some checks are left out';
  return { severity: 'info', subject: 'privilege', found, expected, remedy: 'run gwmark doctor as root' };
}
