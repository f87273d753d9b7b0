import { IPTABLES_CHAINS, iptablesPrefix } from '../../../rules/index.js';
import type { IpRule } from '../../routing/iproute.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';
import { chainNames, iptablesMarkWrites, type MarkWrite, nftMarkWrites } from '../mark-use.js';

interface Facts {
  readonly mask: number;
  readonly writes: readonly MarkWrite[];
  /** Names of other programs' chains, in nftables and iptables. */
  readonly chains: readonly string[];
  readonly rules: readonly IpRule[];
}

/**
 * Programs that are known for their marks: the bits that they use by default, and how they are recognised.
 */
const KNOWN: readonly {
  readonly name: string;
  readonly bits: number;
  readonly chain?: RegExp;
  readonly mark?: number;
  readonly setting: string;
}[] = [
  { name: 'kube-proxy', bits: 0xc000, chain: /\bKUBE-/, setting: '--iptables-masquerade-bit' },
  { name: 'Calico', bits: 0xffff_0000, chain: /\bcali-/, setting: 'IptablesMarkMask (NftablesMarkMask) of Felix' },
  { name: 'Cilium', bits: 0xffff_0f00, chain: /\bCILIUM_/, setting: 'none: it always uses these bits' },
  {
    name: 'Tailscale',
    bits: 0x00ff_0000,
    chain: /\bts-(?:input|forward|postrouting)\b/,
    setting: 'none: it always uses these bits',
  },
  { name: 'WireGuard (wg-quick)', bits: 0xca6c, chain: /\bwg-quick-/, mark: 0xca6c, setting: 'FwMark' },
  { name: 'Docker', bits: 0, chain: /\bDOCKER\b/, setting: 'none' },
];

/** No other program uses our mark bits. */
export const marks: Check = {
  name: 'marks',
  doc: 'No other program writes or reads the bits of `mark.mask`: nftables, iptables of both flavours, `ip rule`. The check knows kube-proxy, Calico, Cilium, Tailscale, wg-quick and Docker by name.',
  needsNetAdmin: true,
  look: async (system) => {
    const [objects, { rules }, saved] = await Promise.all([
      system.ruleset(),
      system.routing(),
      system.savedIptables(),
    ]);
    const { table } = system.settings;
    return judgeMarks({
      mask: system.policy.markMask,
      writes: [
        ...nftMarkWrites(objects, table),
        ...iptablesMarkWrites(saved, iptablesPrefix(table), `${iptablesPrefix(table)}${IPTABLES_CHAINS.prerouting}`),
      ],
      chains: [...chainNames(objects, table), ...[...saved.matchAll(/^:(\S+) /gm)].map(([, name = '']) => name)],
      rules: rules.filter(({ protocol }) => protocol !== String(system.policy.routing.protocol)),
    });
  },
};

export function judgeMarks({ mask, writes, chains, rules }: Facts): readonly Judgement[] {
  const subject = 'mark bits';
  const expected = `${hex(mask)} (mark.mask) unused by other programs`;
  const judgements = new Map<string, Judgement>();
  const note = (severity: 'error' | 'warn', found: string, remedy: string): void =>
    void judgements.set(found, { severity, subject, found, expected, remedy });

  for (const { where, touched, sets, copies, order } of writes) {
    if ((sets & mask) !== 0)
      note('error', `${where} sets ${hex(sets & mask)}`, 'use other bits for one of the two: mark.mask here');
    else if (order === 'undone') continue;
    else if ((copies & mask) !== 0)
      note(
        order === 'late' ? 'error' : 'warn',
        `${where} copies ${hex(copies & mask)} between packet mark and conntrack mark${order === 'late' ? ', behind the rules of gwmark: packets of the VPN take wrong ways' : ''}`,
        `use a mask without ${hex(mask)} in that rule, or change mark.mask`,
      );
    else if ((touched & mask) !== 0)
      note('warn', `${where} erases ${hex(touched & mask)}`, `use a mask without ${hex(mask)} in that rule`);
  }
  for (const { priority, fwmark, fwmask } of rules) {
    const used = Number(fwmark ?? 0) & Number(fwmask ?? 0xffff_ffff) & mask;
    if (used !== 0)
      note('error', `ip rule ${priority} matches ${hex(used)}`, 'use other bits for one of the two: mark.mask here');
  }
  const known = KNOWN.filter(
    ({ chain, mark }) =>
      chains.some((name) => chain?.test(name)) ||
      rules.some(({ fwmark }) => mark !== undefined && Number(fwmark ?? 0) === mark),
  );
  for (const { name, bits, setting } of known) {
    const shared = bits & mask;
    if (shared !== 0)
      note(
        'warn',
        `${name} is running, which uses ${hex(bits)} by default`,
        `use a mark.mask without these bits, or change the bits of the other program (${setting})`,
      );
  }
  if (judgements.size > 0) return [...judgements.values()];
  const others = known.map(({ name }) => name).join(', ');
  return [
    fine(
      subject,
      others === '' ? 'unused by other programs' : `unused by other programs (${others} uses different ones)`,
      expected,
    ),
  ];
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
