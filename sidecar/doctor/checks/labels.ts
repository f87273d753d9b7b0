import { readFile } from 'node:fs/promises';

import type { ModuleReading } from '../../datapath/module/module-reading.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';
import { nftLabelWrites } from '../mark-use.js';

interface Facts {
  readonly datapath: 'nexthop' | 'module';
  readonly writes: ReturnType<typeof nftLabelWrites>;
  readonly hasOpenvswitch: boolean;
  /** Rules and programs of this network namespace that asked the kernel for labels, by the module's own count. */
  readonly users: number;
  /** First of our 64 bits of the conntrack label. */
  readonly firstBit: number;
}

/** The bits of the conntrack label that the module keeps its gateways in. */
const BITS = 64;
/** Default of the module parameter label_word. */
const LABEL_WORD = 2;

/** No other program writes the conntrack label bits that the module uses. */
export const labels: Check = {
  name: 'conntrack-labels',
  doc: 'With the datapath `module`, no other program writes the conntrack label bits in which it stores the gateways of a flow (64 to 127, parameter `label_word`): rules with `ct label set`, Open vSwitch.',
  needsNetAdmin: true,
  look: async (system) => {
    const word = await readFile('/sys/module/gwmark/parameters/label_word', 'utf8').then(Number, () => LABEL_WORD);
    return judgeLabels({
      datapath: await system.datapath(),
      writes: nftLabelWrites(await system.ruleset(), system.settings.table),
      hasOpenvswitch: (await system.devices()).some(({ linkinfo }) => linkinfo?.info_kind === 'openvswitch'),
      users: labelUsers(await system.module()),
      firstBit: word * 32,
    });
  },
};

/** 0 of a module that does not tell. */
function labelUsers(reading: ModuleReading): number {
  const records = reading.state === 'present' ? reading.records : [];
  const record = records.find((line) => line.startsWith('label_users '));
  return Number(record?.split(' ')[1] ?? 0);
}

export function judgeLabels({ datapath, writes, hasOpenvswitch, users, firstBit }: Facts): readonly Judgement[] {
  const subject = 'conntrack labels';
  const range = `bits ${firstBit} to ${firstBit + BITS - 1}`;
  const expected = datapath === 'module' ? `${range} unused by other programs` : 'any: the datapath nexthop uses none';
  const remedy = 'use other bits there, or load the module with another label_word, or set datapath: nexthop';
  const clashes = writes.filter(({ bit }) => bit === null || (bit >= firstBit && bit < firstBit + BITS));
  if (datapath === 'nexthop') {
    const writers = [...new Set(writes.map(({ where }) => where)), ...(hasOpenvswitch ? ['Open vSwitch'] : [])];
    return [fine(subject, writers.length === 0 ? 'unused' : `used by ${writers.join(', ')}`, expected)];
  }
  const found = clashes.map(({ where, bit }): Judgement => ({
    severity: 'error',
    subject,
    found: `${where} sets ${bit === null ? 'unknown bits' : `bit ${bit}`}`,
    expected,
    remedy,
  }));
  if (hasOpenvswitch)
    found.push({
      severity: 'warn',
      subject,
      found: 'Open vSwitch is running, whose flows may write labels',
      expected,
      remedy,
    });
  // Which bits these use, the kernel does not say; those of nftables are known.
  if (found.length === 0 && writes.length === 0 && users > 0)
    found.push({
      severity: 'warn',
      subject,
      found: `${users} rules or programs use labels (iptables -m connlabel, tc), of unknown bits`,
      expected,
      remedy,
    });
  return found.length > 0 ? found : [fine(subject, 'unused by other programs', expected)];
}
