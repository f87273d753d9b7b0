import { IptablesError, type Flavour, type FlavourReport, openIpset, openIptables } from 'iptables-wrapper';

import { iptablesPrefix } from '../../../rules/index.js';
import { type InstalledChains, listChains } from '../../firewall/iptables-reader.js';
import { kernelFamilies } from '../../firewall/open-firewall.js';
import type { Check } from '../check.js';
import { fine, type Judgement } from '../finding.js';

interface Facts {
  /** The prefix of our chains' names. */
  readonly prefix: string;
  /** The one that is in use or would be; null if none works. */
  readonly flavour: Flavour | null;
  readonly reports: readonly FlavourReport[];
  /** Its version; an error if it does not work. */
  readonly ipset: string | IptablesError;
  /** Who owns the chains with our names in that flavour. */
  readonly owner: InstalledChains['owner'];
  readonly isRunning: boolean;
}

/** Where rules are made with iptables: it works, and the chains are ours and there while a sidecar runs. */
export const iptables: Check = {
  name: 'iptables',
  doc: 'If gwmark uses iptables: one of its flavours and ipset work; the chains that are named after the setting `table` belong to gwmark, are in one flavour only, and exist while a sidecar runs.',
  needsNetAdmin: true,
  look: async (system) => {
    if ((await system.firewall()) === 'nftables') return [fine('iptables', 'not used: gwmark uses nftables')];
    const reports = await system.iptables();
    const status = await system.status().catch(() => null);
    const prefix = iptablesPrefix(system.settings.table);
    const running =
      status?.firewall === 'iptables-nft' ? 'nft' : status?.firewall === 'iptables-legacy' ? 'legacy' : null;
    const flavour = running ?? chooseFlavour(system.settings.iptables.flavour, reports);
    const ipset = await readIpsetVersion();
    return judgeIptables({
      prefix,
      flavour,
      reports,
      ipset,
      owner: await readOwner(prefix, flavour, reports, system.settings.table),
      isRunning: status !== null,
    });
  },
};

export function judgeIptables({ prefix, flavour, reports, ipset, owner, isRunning }: Facts): readonly Judgement[] {
  const report = reports.find((candidate) => candidate.flavour === flavour);
  if (report?.isUsable !== true) {
    const found = reports
      .flatMap((candidate) => (candidate.isUsable ? [] : `${candidate.flavour}: ${candidate.reason}`))
      .join('; ');
    return [
      {
        severity: 'error',
        subject: 'iptables',
        found,
        expected: 'one flavour that works',
        remedy: 'install iptables, or nftables, or change iptables.flavour',
      },
    ];
  }
  const expected = 'installed by gwmark, in one flavour';
  const judgements: Judgement[] = [
    fine('iptables', `${report.version}, flavour ${report.flavour}`),
    judgeIpset(ipset),
  ];
  for (const other of reports) {
    if (!other.isUsable || other.flavour === report.flavour || other.ownChains.length === 0) continue;
    judgements.push({
      severity: 'error',
      subject: `chains ${prefix}*`,
      found: `in iptables-${other.flavour} too (${other.ownChains.join(', ')}): packets pass both`,
      expected,
      remedy: 'stop gwmark run, then run gwmark down',
    });
  }
  return [...judgements, judgeChains(`chains ${prefix}* of iptables-${report.flavour}`, expected, owner, isRunning)];
}

function judgeIpset(ipset: Facts['ipset']): Judgement {
  if (typeof ipset === 'string') return fine('ipset', ipset);
  return {
    severity: 'error',
    subject: 'ipset',
    found: ipset.message,
    expected: 'sets that rules can match',
    remedy: 'install ipset, and use a kernel with CONFIG_IP_SET and NETFILTER_XT_SET',
  };
}

function judgeChains(subject: string, expected: string, owner: Facts['owner'], isRunning: boolean): Judgement {
  switch (owner) {
    case 'foreign':
      return {
        severity: 'error',
        subject,
        found: 'belongs to another program',
        expected,
        remedy: 'set table to another name',
      };
    case 'none':
      if (!isRunning) return fine(subject, 'absent: no sidecar runs', expected);
      return {
        severity: 'error',
        subject,
        found: 'missing',
        expected,
        remedy: 'see "gwmark status": the sidecar repairs them, or says why it cannot',
      };
    default:
      if (isRunning) return fine(subject, 'installed by gwmark', expected);
      return {
        severity: 'info',
        subject,
        found: 'left by an earlier run: its rules are in force',
        expected: 'a running sidecar',
        remedy: 'start gwmark run, or remove them with gwmark down',
      };
  }
}

/** As `gwmark run` does: the flavour of the settings, otherwise the one with our chains, otherwise what the name iptables runs. */
function chooseFlavour(wanted: 'auto' | Flavour, reports: readonly FlavourReport[]): Flavour | null {
  if (wanted !== 'auto') return wanted;
  const usable = reports.filter((report) => report.isUsable);
  const holder =
    usable.find(({ ownChains }) => ownChains.length > 0) ??
    usable.find(({ foreignTables }) => foreignTables.length > 0);
  return (holder ?? usable.find(({ isDefault }) => isDefault) ?? usable[0])?.flavour ?? null;
}

async function readIpsetVersion(): Promise<string | IptablesError> {
  try {
    await using ipset = await openIpset();
    return ipset.version;
  } catch (error) {
    if (error instanceof IptablesError) return error;
    throw error;
  }
}

/** The table is read only where chains of our names are in it: iptables-legacy would make one that is missing. */
async function readOwner(
  prefix: string,
  flavour: Flavour | null,
  reports: readonly FlavourReport[],
  table: string,
): Promise<InstalledChains['owner']> {
  const report = reports.find((candidate) => candidate.flavour === flavour);
  if (flavour === null || report?.isUsable !== true || report.ownChains.length === 0) return 'none';
  await using opened = await openIptables({ prefix, flavour, families: kernelFamilies() });
  return (await listChains(opened, table)).owner;
}
