import type { NftObject } from 'nftables-json';

import { readTable } from '../../firewall/table-reader.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

interface Facts {
  readonly family: 'inet' | 'bridge';
  readonly table: string;
  /** `missing`, or the owner of the table. */
  readonly state: 'missing' | 'ours' | 'outdated' | 'foreign';
  readonly isRunning: boolean;
  readonly firewall: 'nftables' | 'iptables';
}

/** The nftables table is ours, and there while a sidecar runs. */
export const table: Check = {
  name: 'nftables-table',
  doc: 'The nftables table of the setting `table` belongs to gwmark, and exists while a sidecar with nftables runs; inline, also the table of family bridge.',
  needsNetAdmin: true,
  look: async (system) => {
    const { table: name } = system.settings;
    const ruleset = await system.ruleset();
    const isRunning = (await system.status().catch(() => null)) !== null;
    const bridges = (await system.links()).filter(({ linkinfo }) => linkinfo?.info_kind === 'bridge');
    const devices = await system.devices();
    // Without the module, a bridge without ports has no table.
    const hasFrames =
      (await system.datapath()) === 'module'
        ? bridges.length > 0
        : bridges.some(({ ifname }) => devices.some(({ master }) => master === ifname));
    const isInline = hasFrames && system.settings.inline !== 'off';
    const firewall = await system.firewall();
    const families = isInline ? (['inet', 'bridge'] as const) : (['inet'] as const);
    return families.map((family) =>
      judgeTable({ family, table: name, state: stateOf(ruleset, family, name), isRunning, firewall }),
    );
  },
};

function stateOf(ruleset: readonly NftObject[], family: Facts['family'], name: string): Facts['state'] {
  const objects = ruleset.filter((object) =>
    Object.values(object).some(
      (value: { family?: string; table?: string; name?: string }) =>
        value.family === family && (value.table ?? value.name) === name,
    ),
  );
  return objects.length === 0 ? 'missing' : readTable(objects, () => '').owner;
}

export function judgeTable({ family, table: name, state, isRunning, firewall }: Facts): Judgement {
  const subject = `nftables table ${family} ${name}`;
  if (firewall === 'iptables') {
    if (state === 'missing' || state === 'foreign') return fine(subject, 'not used: gwmark uses iptables');
    return {
      severity: 'error',
      subject,
      found: 'left by an earlier run, in addition to the iptables rules: packets pass both',
      expected: 'absent',
      remedy: 'stop gwmark run, then run gwmark down',
    };
  }
  switch (state) {
    case 'foreign':
      return {
        severity: 'error',
        subject,
        found: 'belongs to another program',
        expected: 'absent, or installed by gwmark',
        remedy: 'set table to another name',
      };
    case 'missing':
      if (!isRunning) return fine(subject, 'absent: no sidecar runs', 'absent, or installed by gwmark');
      return {
        severity: 'error',
        subject,
        found: 'missing',
        expected: 'installed by the running sidecar',
        remedy:
          family === 'bridge'
            ? 'see "gwmark status": the sidecar repairs it, or says why it cannot; the check inline says whether the kernel has such tables'
            : 'see "gwmark status": the sidecar repairs it, or says why it cannot',
      };
    default:
      if (isRunning) return fine(subject, 'installed by gwmark');
      return {
        severity: 'info',
        subject,
        found: 'left by an earlier run: its rules are in force',
        expected: 'a running sidecar',
        remedy: 'start gwmark run, or remove it with gwmark down',
      };
  }
}
