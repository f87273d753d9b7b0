import type { NftObject, Nftables } from 'nftables-json';
import { NftError, openNftables } from 'nftables-json';
import type { FlavourReport } from 'iptables-wrapper';

import type { Family, Policy } from '../../rules/index.js';
import type { Settings } from '../config/settings.js';
import { findSidecar, type FoundSidecar } from '../control/sidecar-here.js';
import type { SettingsInForce } from '../control/settings-in-force.js';
import type { RoutingUse } from '../routing/conflicts.js';
import { readRoutingUse } from '../routing/conflicts.js';
import { linkWithoutDefault } from '../routing/default-routes.js';
import { namedTunnels, policyOf } from '../config/policy.js';
import { readModule, type ModuleReading } from '../datapath/module/module-reading.js';
import { saveLegacyIptables, saveNftIptables } from './saved-iptables.js';
import type { ServerView } from './server-view.js';
import { viewServers } from './server-view.js';
import { GwmarkError } from '../errors.js';
import { readDevices, type UnusableDevice } from '../discovery/devices.js';
import type { PathFilter } from '../firewall/path-filters.js';
import { readPathFilters } from '../firewall/read-path-filters.js';
import { inspectFlavours } from '../firewall/open-firewall.js';
import type { StatusDocument } from '../status.js';
import type { IpDevice } from '../routing/iproute.js';
import { ipJson } from '../routing/iproute.js';

/** A device with the details of `ip -d`. */
export interface DeviceDetails extends IpDevice {
  /** Bytes. */
  readonly mtu: number;
}

export interface SystemOptions {
  readonly settings: Settings;
  readonly hasNetAdmin: boolean;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/**
 * What several checks look at, read at most once. The caller disposes of it.
 *
 * Every method rejects with a GwmarkError if it cannot read.
 */
export class System implements AsyncDisposable {
  /** The settings that all checks use. */
  readonly settings: Settings;
  readonly inForce: SettingsInForce;
  readonly policy: Policy;
  readonly hasNetAdmin: boolean;
  readonly nowMs: number;
  readonly #readings = new Map<string, Promise<unknown>>();

  constructor(options: SystemOptions & { readonly inForce: SettingsInForce }) {
    this.inForce = options.inForce;
    this.settings = options.inForce.settings;
    this.policy = policyOf(this.settings);
    this.hasNetAdmin = options.hasNetAdmin;
    this.nowMs = options.nowMs;
  }

  /** What answers at the control socket, here or in another network namespace. */
  sidecar(): Promise<FoundSidecar> {
    return this.#once('sidecar', () => findSidecar(this.settings.controlSocket));
  }

  /** The status of the sidecar of this network namespace; null when none answers at the control socket. */
  async status(): Promise<StatusDocument | null> {
    const found = await this.sidecar();
    return found.where === 'here' ? found.status : null;
  }

  devices(): Promise<readonly DeviceDetails[]> {
    return this.#once('devices', () => ipJson<DeviceDetails>(['-d', 'addr', 'show']));
  }

  routing(): Promise<RoutingUse> {
    return this.#once('routing', () => readRoutingUse(this.policy));
  }

  nftables(): Promise<Nftables> {
    return this.#once('nftables', async () => {
      try {
        return await openNftables({ executor: this.settings.executor });
      } catch (error) {
        if (error instanceof NftError)
          throw new GwmarkError('FIREWALL_UNAVAILABLE', `open nftables: ${error.message}`, { cause: error });
        throw error;
      }
    });
  }

  /** Each flavour of iptables and its rules. */
  iptables(): Promise<readonly FlavourReport[]> {
    return this.#once('iptables', () => inspectFlavours(this.settings.table));
  }

  /** What rules are made with, or would be: as {@link openFirewallTool} chooses. */
  firewall(): Promise<'nftables' | 'iptables'> {
    return this.#once('firewall', async () => {
      const running = (await this.status().catch(() => null))?.firewall;
      const known = running ?? (this.settings.firewall === 'auto' ? undefined : this.settings.firewall);
      if (known !== undefined) return known === 'nftables' ? 'nftables' : 'iptables';
      const hasNftables = await this.nftables().then(
        () => true,
        () => false,
      );
      const usable = (await this.iptables()).filter((report) => report.isUsable);
      if (!hasNftables) return usable.length > 0 ? 'iptables' : 'nftables';
      const isLeft = usable.some(({ ownChains }) => ownChains.length > 0);
      return isLeft &&
        !(await this.ruleset()).some(
          (object) => 'table' in object && object.table.family === 'inet' && object.table.name === this.settings.table,
        )
        ? 'iptables'
        : 'nftables';
    });
  }

  /**
   * Everything in nftables without elements of sets; empty if rules are made with iptables and there is no
   * nftables.
   */
  ruleset(): Promise<readonly NftObject[]> {
    return this.#once('ruleset', async () => {
      const nftables = await this.nftables().catch(async (error: unknown) => {
        if ((await this.firewall()) === 'iptables') return null;
        throw error;
      });
      return nftables === null ? [] : await nftables.list({ ruleset: null }, { terse: true });
    });
  }

  /** The rules of iptables-legacy as text of iptables-save; empty if it has no tables. */
  legacyIptables(): Promise<string> {
    return this.#once('legacy', saveLegacyIptables);
  }

  /** What nft cannot show: targets of iptables-nft, and everything of iptables-legacy, as text of iptables-save. */
  savedIptables(): Promise<string> {
    return this.#once(
      'saved',
      async () => `${await saveNftIptables(await this.ruleset())}\n${await this.legacyIptables()}`,
    );
  }

  /** Reverse path filters made of rules, in nftables and iptables. */
  pathFilters(): Promise<readonly PathFilter[]> {
    return this.#once('pathFilters', async () =>
      readPathFilters(await this.nftables().catch(() => null), this.settings.table),
    );
  }

  /** By family, a link by which no default route leads. */
  linksWithoutDefault(): Promise<ReadonlyMap<Family, string>> {
    return this.#once('linksWithoutDefault', async () => {
      const { links } = await readDevices(this.settings.devices, this.settings.inline);
      const found = await Promise.all(
        ([4, 6] as const).map(async (family) => [family, await linkWithoutDefault(links, family)] as const),
      );
      return new Map(found.flatMap(([family, device]) => (device === null ? [] : [[family, device] as const])));
    });
  }

  module(): Promise<ModuleReading> {
    return this.#once('module', readModule);
  }

  /** The datapath that is in use, or that `gwmark run` would use. */
  async datapath(): Promise<'nexthop' | 'module'> {
    const status = await this.status().catch(() => null);
    if (status !== null) return status.datapath;
    if (this.settings.datapath !== 'auto') return this.settings.datapath;
    return (await this.module()).state === 'absent' ? 'nexthop' : 'module';
  }

  /** One for each management endpoint of the settings, and of the running sidecar. */
  servers(): Promise<readonly ServerView[]> {
    return this.#once('servers', async () => viewServers(this.settings, await this.status().catch(() => null)));
  }

  /** The Ethernet devices on which gateways are learnt: those of the settings, otherwise all. */
  async links(): Promise<readonly DeviceDetails[]> {
    const wanted = this.settings.devices;
    return (await this.devices()).filter(
      (device) =>
        device.link_type === 'ether' &&
        device.master === undefined &&
        device.linkinfo?.info_kind !== 'vrf' &&
        (wanted.length === 0 || wanted.includes(device.ifname)),
    );
  }

  /** Devices without a link layer that are up: OpenVPN's among them, and those of other VPNs. */
  async tunnels(): Promise<readonly DeviceDetails[]> {
    const named = namedTunnels(this.settings);
    return (await this.devices()).filter(
      ({ link_type: type, flags, ifname }) =>
        flags.includes('UP') && (type === 'none' || (named.includes(ifname) && type !== 'ether')),
    );
  }

  /** Devices of other VPNs that the settings name, and that cannot be used. */
  async unusableTunnels(): Promise<readonly UnusableDevice[]> {
    const { devices, inline } = this.settings;
    return (await readDevices(devices, inline, namedTunnels(this.settings))).unusableTunnels ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // If it could not be opened, there is nothing to close.
    const nftables = await (this.#readings.get('nftables') as Promise<Nftables> | undefined)?.catch(() => undefined);
    await nftables?.[Symbol.asyncDispose]();
  }

  #once<T>(name: string, read: () => Promise<T>): Promise<T> {
    // Only one type is ever stored under a name.
    const known = this.#readings.get(name) as Promise<T> | undefined;
    if (known !== undefined) return known;
    const reading = read();
    this.#readings.set(name, reading);
    return reading;
  }
}
