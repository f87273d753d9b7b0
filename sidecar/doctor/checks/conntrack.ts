import { readSysctl } from '../../system/sysctl.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

/** Fullness of the table from which on a burst may fill it. */
const WARN_SHARE = 0.8;
const ERROR_SHARE = 0.95;

/** Connection tracking works and has room. */
export const conntrack: Check = {
  name: 'conntrack',
  doc: 'Connection tracking is there, and its table is not nearly full: a flow without an entry has no memory of its gateway.',
  needsNetAdmin: false,
  look: async () => {
    const [count, max] = await Promise.all(['count', 'max'].map((name) => readSysctl(`net/netfilter/nf_conntrack_${name}`)));
    return [judgeConntrack(count ?? null, max ?? null)];
  },
};

/** @param count entries of this network namespace @param max the most that one may have */
export function judgeConntrack(count: string | null, max: string | null): Judgement {
  const subject = 'conntrack table';
  const expected = `less than ${WARN_SHARE * 100} % full`;
  if (count === null || max === null) {
    return { severity: 'info', subject, found: 'connection tracking is not loaded yet', expected, remedy: 'none needed: the rules of gwmark load it' };
  }
  const share = Number(count) / Number(max);
  const found = `${count} of ${max} entries`;
  if (!(share >= WARN_SHARE)) return fine(subject, found, expected);
  return { severity: share >= ERROR_SHARE ? 'error' : 'warn', subject, found, expected, remedy: `sysctl -w net.netfilter.nf_conntrack_max=${Number(max) * 2} (on the host)` };
}
