import { readSysctl } from '../../system/sysctl.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

/** Share of the table's size above which a burst may fill it. */
const WARN_SHARE = 0.8;
const ERROR_SHARE = 0.95;

/** Conntrack works, and its table has room. */
export const conntrack: Check = {
  name: 'conntrack',
  doc: 'Conntrack works, and its table is not nearly full: a flow without an entry has no gateway. How long conntrack keeps the entry of a UDP flow that has no answer yet: a later answer goes to the uplink.',
  needsNetAdmin: false,
  look: async () => {
    const [count, max] = await Promise.all(
      ['count', 'max'].map((name) => readSysctl(`net/netfilter/nf_conntrack_${name}`)),
    );
    return [
      judgeConntrack(count ?? null, max ?? null),
      ...judgeUdpTimeout((await readSysctl('net/netfilter/nf_conntrack_udp_timeout')) ?? null),
    ];
  },
};

/** @param count entries of this network namespace @param max the most that one may have */
export function judgeConntrack(count: string | null, max: string | null): Judgement {
  const subject = 'conntrack table';
  const expected = `less than ${WARN_SHARE * 100} % full`;
  if (count === null || max === null) {
    return {
      severity: 'info',
      subject,
      found: 'conntrack is not loaded yet',
      expected,
      remedy: 'none needed: the rules of gwmark load it',
    };
  }
  const share = Number(count) / Number(max);
  const found = `${count} of ${max} entries`;
  if (!(share >= WARN_SHARE)) return fine(subject, found, expected);
  return {
    severity: share >= ERROR_SHARE ? 'error' : 'warn',
    subject,
    found,
    expected,
    remedy: `sysctl -w net.netfilter.nf_conntrack_max=${Number(max) * 2} (on the host)`,
  };
}

/**
 * @param seconds after which the kernel forgets a UDP flow that was not answered; null if connection tracking is
 * not loaded
 */
export function judgeUdpTimeout(seconds: string | null): readonly Judgement[] {
  if (seconds === null) return [];
  const found = `${seconds} s: a UDP answer that takes longer belongs to no flow, and goes to the uplink`;
  return [fine('net.netfilter.nf_conntrack_udp_timeout', found, 'longer than the slowest UDP answer')];
}
