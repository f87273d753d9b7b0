import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Flavour, FlavourReport, Iptables, Ipset } from 'iptables-wrapper';
import { IptablesError, inspectIptables, openIpset, openIptables } from 'iptables-wrapper';
import type { Nftables } from 'nftables-json';
import { NftError, isNotFound, openNftables } from 'nftables-json';
import { MAX_IPTABLES_TABLE_LENGTH, iptablesPrefix } from '../../rules/index.js';
import type { Settings } from '../config/settings.js';
import { GwmarkError } from '../errors.js';
import type { Logger } from '../log/logger.js';
import { hasCapability } from '../system/capabilities.js';
import type { IptablesTools } from './iptables-firewall.js';
import { listSets } from './iptables-reader.js';

/** The tool that installs rules. */
export type FirewallTool =
  | { readonly kind: 'nftables'; readonly nft: Nftables }
  | ({ readonly kind: 'iptables' } & IptablesTools);

/** A tool that its owner has to close. */
export type OpenedTool = FirewallTool & AsyncDisposable;

/** The settings that the choice depends on. */
export type ToolSettings = Pick<Settings, 'executor' | 'firewall' | 'iptables' | 'table'>;

/**
 * Opens the firewall that the setting names, or one that works. Under `auto`, rules that an earlier run left decide; then
 * nftables is preferred. Rules are never made with both, nor with two flavours of iptables: packets would pass all of
 * them.
 *
 * @throws GwmarkError FIREWALL_UNAVAILABLE if nothing works, FIREWALL_CLASH if an earlier run's rules are of the
 * other kind
 */
export async function openFirewallTool(settings: ToolSettings, logger: Logger): Promise<OpenedTool> {
  const { firewall } = settings;
  const isForced = firewall !== 'auto';
  if (firewall === 'iptables') {
    await refuseTable(settings);
    const opened = await openIptablesTool(settings, logger);
    logger.info('firewall.selected', { firewall: nameOf(opened), isForced });
    return opened;
  }
  const nft = await openNftables({
    executor: settings.executor,
    onFallback: (reason) => logger.warn('firewall.fallback', { reason }),
  }).catch((error: unknown) => {
    if (error instanceof NftError) return error;
    throw error;
  });
  if (nft instanceof NftError) {
    // Without the capability, iptables would fail too, with a worse message.
    if (isForced || nft.code === 'EPERM')
      throw new GwmarkError('FIREWALL_UNAVAILABLE', `open nftables: ${nft.message}`, { cause: nft });
    return openInstead(settings, nft, logger);
  }
  const leftover = (await hasTable(nft, settings.table)) ? [] : await iptablesLeftover(settings.table);
  if (leftover.length === 0) {
    logger.info('firewall.selected', { firewall: 'nftables', isForced });
    return { kind: 'nftables', nft, [Symbol.asyncDispose]: () => nft[Symbol.asyncDispose]() };
  }
  await nft[Symbol.asyncDispose]();
  if (isForced)
    throw new GwmarkError(
      'FIREWALL_CLASH',
      `firewall: nftables is set, but an earlier run left iptables chains (${leftover.join(', ')}): run gwmark down first`,
    );
  const opened = await openIptablesTool(settings, logger);
  logger.info('firewall.selected', {
    firewall: nameOf(opened),
    isForced,
    reason: 'an earlier run left its chains there',
  });
  return opened;
}

/** `nftables`, `iptables-nft` or `iptables-legacy`. */
export function nameOf(tool: FirewallTool): 'nftables' | `iptables-${Flavour}` {
  return tool.kind === 'nftables' ? 'nftables' : `iptables-${tool.iptables.flavour}`;
}

/**
 * Every tool that works here and may hold what an earlier run left: for `gwmark down`. The owner closes them.
 *
 * @throws GwmarkError FIREWALL_UNAVAILABLE if none works
 */
export async function openEveryTool(settings: ToolSettings): Promise<readonly OpenedTool[]> {
  const tools: OpenedTool[] = [];
  const reasons: string[] = [];
  try {
    const nft = await openNftables({ executor: settings.executor });
    tools.push({ kind: 'nftables', nft, [Symbol.asyncDispose]: () => nft[Symbol.asyncDispose]() });
  } catch (error) {
    if (!(error instanceof NftError)) throw error;
    reasons.push(`nftables: ${error.message}`);
  }
  const reports = await inspectFlavours(settings.table);
  const usable = reports.filter((report) => report.isUsable);
  for (const report of reports) if (!report.isUsable) reasons.push(`iptables (${report.flavour}): ${report.reason}`);
  const holders = usable.filter(({ ownChains }) => ownChains.length > 0).map(({ flavour }) => flavour);
  // Sets may be left without chains; and without nftables, some tool must be there to list them.
  const looker =
    tools.length === 0 || (await hasSets(settings.table))
      ? (usable.find(({ isDefault }) => isDefault) ?? usable[0])
      : undefined;
  const flavours = holders.length === 0 && looker !== undefined ? [looker.flavour] : holders;
  for (const flavour of flavours) {
    try {
      tools.push(await openTools(settings.table, flavour));
    } catch (error) {
      if (!(error instanceof IptablesError)) throw error;
      reasons.push(`iptables (${flavour}): ${error.message}`);
      if (holders.length > 0) throw new GwmarkError('FIREWALL_UNAVAILABLE', reasons.join('; '), { cause: error });
    }
  }
  if (tools.length === 0)
    throw new GwmarkError('FIREWALL_UNAVAILABLE', `no firewall can be used (${reasons.join('; ')})`);
  return tools;
}

async function openInstead(settings: ToolSettings, cause: NftError, logger: Logger): Promise<OpenedTool> {
  try {
    const opened = await openIptablesTool(settings, logger);
    logger.info('firewall.selected', {
      firewall: nameOf(opened),
      isForced: false,
      reason: `nftables cannot be used: ${cause.message}`,
    });
    return opened;
  } catch (error) {
    if (!(error instanceof GwmarkError)) throw error;
    const message = `neither nftables (${cause.message}) nor iptables (${error.message}) can be used; install nftables (libnftables1 or the program nft), or iptables and ipset`;
    throw new GwmarkError('FIREWALL_UNAVAILABLE', message, { cause: error });
  }
}

async function openIptablesTool(settings: ToolSettings, logger: Logger): Promise<OpenedTool> {
  const { table } = settings;
  const { flavour } = settings.iptables;
  if (table.length > MAX_IPTABLES_TABLE_LENGTH) {
    throw new GwmarkError(
      'FIREWALL_UNAVAILABLE',
      `table ${table} has ${table.length} characters: with iptables, whose names are short, at most ${MAX_IPTABLES_TABLE_LENGTH}`,
    );
  }
  if (!(await hasNetRaw())) {
    const remedy = 'add it: CapabilityBoundingSet=CAP_NET_RAW (systemd), --cap-add NET_RAW (docker)';
    throw new GwmarkError(
      'FIREWALL_UNAVAILABLE',
      `open iptables: without CAP_NET_RAW, rules cannot match ipset sets, and iptables-legacy does not work; ${remedy}`,
    );
  }
  // `auto` finds out for itself.
  const other =
    flavour === 'auto'
      ? undefined
      : (await inspectFlavours(table)).find(
          (report) => report.flavour !== flavour && report.isUsable && report.ownChains.length > 0,
        );
  if (other !== undefined)
    throw new GwmarkError(
      'FIREWALL_CLASH',
      `iptables.flavour: ${flavour} is set, but an earlier run left chains in iptables-${other.flavour}: run gwmark down first`,
    );
  try {
    const tool = await openTools(
      table,
      flavour,
      flavour === 'auto' ? (reason) => logger.debug('firewall.flavour', { reason }) : undefined,
    );
    if (tool.kind === 'iptables' && !tool.hasMacSets) logger.warn('firewall.no_mac_sets');
    return tool;
  } catch (error) {
    if (error instanceof IptablesError)
      throw new GwmarkError('FIREWALL_UNAVAILABLE', `open iptables: ${error.message}`, { cause: error });
    throw error;
  }
}

async function openTools(
  table: string,
  flavour: 'auto' | Flavour,
  onChoice?: (reason: string) => void,
): Promise<OpenedTool> {
  const iptables = await openIptables({
    prefix: iptablesPrefix(table),
    flavour,
    families: kernelFamilies(),
    ...(onChoice === undefined ? {} : { onChoice }),
  });
  try {
    const ipset = await openIpset();
    return {
      kind: 'iptables',
      iptables,
      ipset,
      hasMacSets: await tryMacSet(ipset, table),
      [Symbol.asyncDispose]: () => close(iptables, ipset),
    };
  } catch (error) {
    await iptables[Symbol.asyncDispose]();
    throw error;
  }
}

async function close(iptables: Iptables, ipset: Ipset): Promise<void> {
  await iptables[Symbol.asyncDispose]();
  await ipset[Symbol.asyncDispose]();
}

/**
 * The match `set` and iptables-legacy speak to the kernel through raw sockets. Without /proc the programs have the
 * word.
 */
async function hasNetRaw(): Promise<boolean> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '');
  return hasCapability(status, 'CAP_NET_RAW') !== false;
}

/** Whether this kernel has the type; only creating a set shows it. */
async function tryMacSet(ipset: Ipset, table: string): Promise<boolean> {
  const name = `${iptablesPrefix(table)}try`;
  try {
    await ipset.run([{ ensure: { name, type: 'hash:mac', timeoutSeconds: 1 } }, { destroy: { name } }]);
    return true;
  } catch (error) {
    if (error instanceof IptablesError && error.code === 'EOPNOTSUPP') return false;
    throw error;
  }
}

/** If IPv6 is off in the kernel, ip6tables cannot work, and nothing needs to be done. */
export function kernelFamilies(): readonly (4 | 6)[] {
  return existsSync('/proc/net/if_inet6') ? [4, 6] : [4];
}

async function hasTable(nft: Nftables, table: string): Promise<boolean> {
  try {
    await nft.list({ table: { family: 'inet', name: table } }, { terse: true });
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

/**
 * What each flavour of iptables is and holds, chains named after `table` as our own. Nothing where that is too long a
 * name: no chain can have it.
 */
export async function inspectFlavours(table: string): Promise<readonly FlavourReport[]> {
  return table.length > MAX_IPTABLES_TABLE_LENGTH
    ? []
    : inspectIptables({ prefix: iptablesPrefix(table), families: kernelFamilies() });
}

async function hasSets(table: string): Promise<boolean> {
  try {
    await using ipset = await openIpset();
    return (await listSets(ipset, table)).length > 0;
  } catch (error) {
    if (error instanceof IptablesError) return false;
    throw error;
  }
}

/** Chains of ours in any flavour of iptables. */
async function iptablesLeftover(table: string): Promise<readonly string[]> {
  const reports = await inspectFlavours(table);
  return reports.flatMap((report) => (report.isUsable ? report.ownChains : []));
}

/** @throws GwmarkError FIREWALL_CLASH if an earlier run left a table of nftables */
async function refuseTable({ executor, table }: ToolSettings): Promise<void> {
  try {
    await using nft = await openNftables({ executor });
    if (!(await hasTable(nft, table))) return;
  } catch (error) {
    // If nftables cannot be used, it has no rules.
    if (error instanceof NftError) return;
    throw error;
  }
  throw new GwmarkError(
    'FIREWALL_CLASH',
    `firewall: iptables is set, but the nftables table inet ${table} exists: run gwmark down first`,
  );
}
