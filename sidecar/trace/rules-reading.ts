import { type Flavour, IptablesError, openIpset, openIptables } from 'iptables-wrapper';
import { isNotFound, NftError, openNftables } from 'nftables-json';

import {
  type ClientNetwork,
  clientSetName,
  IPTABLES_CHAINS,
  iptablesPrefix,
  iptablesSetName,
  type Network,
  type Transport,
} from '../../rules/index.js';
import type { Settings } from '../config/settings.js';
import { GwmarkError } from '../errors.js';
import { listChains, listSets, readClientSets } from '../firewall/iptables-reader.js';
import { type InstalledTable, readTable } from '../firewall/table-reader.js';
import { inspectFlavours, kernelFamilies } from '../firewall/open-firewall.js';
import type { StatusDocument } from '../status.js';

/** The rules with our name, with whichever firewall they were installed. */
export interface TracedRules {
  /** For people: `nftables table inet gwmark`, `iptables-nft chains gwmark-*`. */
  readonly name: string;
  readonly owner: 'missing' | InstalledTable['owner'];
  readonly clients: readonly ClientNetwork[];
  /** The name of the set that selects a client network. */
  readonly setOf: (network: Network) => string;
  /** What the bridge table captures; null if there is none. */
  readonly captured: readonly ClientNetwork[] | null;
  readonly transports: readonly Transport[];
  /** The datapath that they were written for. */
  readonly datapath: 'nexthop' | 'module';
}

/**
 * Reads them with what a running sidecar makes its rules with, else with what the settings name, else wherever an
 * earlier run left some.
 *
 * @throws GwmarkError FIREWALL_UNAVAILABLE
 */
export async function readTracedRules(settings: Settings, status: StatusDocument | null): Promise<TracedRules> {
  const running = status?.firewall;
  if (running === 'nftables') return readNftables(settings);
  if (running !== undefined) return readIptables(settings.table, running === 'iptables-nft' ? 'nft' : 'legacy');
  const nftables =
    settings.firewall === 'iptables'
      ? null
      : await readNftables(settings).catch((error: unknown) => error as GwmarkError);
  if (
    nftables !== null &&
    !(nftables instanceof GwmarkError) &&
    (nftables.owner !== 'missing' || settings.firewall === 'nftables')
  )
    return nftables;
  const reports = await inspectFlavours(settings.table);
  const holder = reports.find((report) => report.isUsable && report.ownChains.length > 0);
  if (holder !== undefined) return readIptables(settings.table, holder.flavour);
  if (nftables instanceof GwmarkError) throw nftables;
  return nftables ?? { ...NOTHING, name: `iptables chains ${iptablesPrefix(settings.table)}*` };
}

const NOTHING = {
  owner: 'missing',
  clients: [],
  setOf: clientSetName,
  captured: null,
  transports: [],
  datapath: 'nexthop',
} as const;

async function readNftables({ executor, table }: Settings): Promise<TracedRules> {
  const name = `nftables table inet ${table}`;
  try {
    await using nft = await openNftables({ executor });
    const read = async (family: 'inet' | 'bridge'): Promise<InstalledTable | null> => {
      const objects = await nft.list({ table: { family, name: table } }).catch((error: unknown) => {
        if (isNotFound(error)) return null;
        throw error;
      });
      // The table does not have the device that leads to a client.
      return objects === null ? null : readTable(objects, () => '');
    };
    const [inet, bridge] = [await read('inet'), await read('bridge')];
    return {
      name,
      owner: inet?.owner ?? 'missing',
      clients: [...(inet?.clients.values() ?? [])],
      setOf: clientSetName,
      captured: bridge === null ? null : [...bridge.clients.values()],
      transports: inet?.transports ?? [],
      // The base chains of the two datapaths have different names.
      datapath: inet?.structure.chains.has('mark_prerouting') === true ? 'module' : 'nexthop',
    };
  } catch (error) {
    if (error instanceof NftError)
      throw new GwmarkError('FIREWALL_UNAVAILABLE', `read nftables: ${error.message}`, { cause: error });
    throw error;
  }
}

async function readIptables(table: string, flavour: Flavour): Promise<TracedRules> {
  const prefix = iptablesPrefix(table);
  try {
    await using iptables = await openIptables({ prefix, flavour, families: kernelFamilies() });
    await using ipset = await openIpset();
    const { owner, chains, transports } = await listChains(iptables, table);
    return {
      name: `iptables-${flavour} chains ${prefix}*`,
      owner: owner === 'none' ? 'missing' : owner,
      clients: owner === 'ours' ? [...readClientSets(await listSets(ipset, table), table, () => '').values()] : [],
      setOf: (network) => iptablesSetName(table, network),
      captured: null,
      transports,
      datapath: chains.some(({ name }) => name === `${prefix}${IPTABLES_CHAINS.learn}`) ? 'nexthop' : 'module',
    };
  } catch (error) {
    if (error instanceof IptablesError)
      throw new GwmarkError('FIREWALL_UNAVAILABLE', `read iptables (${flavour}): ${error.message}`, { cause: error });
    throw error;
  }
}
