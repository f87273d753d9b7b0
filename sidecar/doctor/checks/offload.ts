import type { StatusDocument } from '../../status.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

/** Offloading works where it is wanted. */
export const offload: Check = {
  name: 'offload',
  doc: 'With `offload: on` or `auto`, a running sidecar says whether it offloads packets, why not, and which rules of other programs they bypass.',
  needsNetAdmin: false,
  look: async (system) => judgeOffload((await system.status())?.offload ?? null, system.settings.offload),
};

/** @param status null: the sidecar does not run, or the setting is `off`. Pure. */
export function judgeOffload(
  status: StatusDocument['offload'] | null,
  setting: 'auto' | 'on' | 'off',
): readonly Judgement[] {
  const subject = 'offload';
  const expected = 'as the setting offload says';
  if (setting === 'off') return [fine(subject, 'off', expected)];
  if (status === null || status === undefined) return [fine(subject, 'not known without a running sidecar', expected)];
  const { isOn, reason } = status;
  const found = `${isOn ? 'on' : 'off'}${reason === null ? '' : `: ${reason}`}`;
  if (setting === 'auto' || (isOn && reason === null)) return [fine(subject, found, expected)];
  return [
    {
      severity: 'warn',
      subject,
      found,
      expected,
      remedy: isOn
        ? 'set `offload: auto` if these rules must see every packet'
        : 'use the datapath nexthop, rules of nftables in process, and a kernel with CONFIG_NF_FLOW_TABLE_INET and CONFIG_NFT_FLOW_OFFLOAD; or set `offload: auto`',
    },
  ];
}
