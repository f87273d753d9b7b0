import type { Gateway } from '../../../rules/index.js';
import type { ConfiguredUplink } from '../../config/places.js';
import type { Installed } from '../../firewall/firewall.js';
import type { Logger } from '../../log/logger.js';
import type { UplinkNeed } from '../uplink-seeker.js';
import { UplinkSeeker, isSame, resolveRouter } from '../uplink-seeker.js';
import type { GatewayChange, GatewayTable } from './gateway-table.js';

export interface NexthopUplinkOptions {
  /** The setting `uplink`; null: found by itself. */
  readonly configured: ConfiguredUplink | null;
  readonly table: GatewayTable;
  /** Nothing came from this gateway for so long that it carries no clients. */
  readonly isSilent: (id: number) => boolean;
  readonly logger: Logger;
}

/** Chooses the gateway of last resort: configured, found by transport flows, or tried. */
export class NexthopUplink {
  readonly #options: NexthopUplinkOptions;
  readonly #seeker = new UplinkSeeker();
  #id: number | null = null;
  /** Another router than the uplink opened a transport flow lately. */
  #hasOthers = false;
  /** No packet came from it yet: it is one that was tried. */
  #isGuessed = false;

  constructor(options: NexthopUplinkOptions) {
    this.#options = options;
  }

  /** Null while there is none, or it is gone. */
  get gateway(): Gateway | null {
    return this.#id === null ? null : this.#options.table.get(this.#id);
  }

  /** Whether counters are needed to choose the uplink among several. */
  get hasOthers(): boolean {
    return this.#hasOthers;
  }

  /** Whether a sender is the router of the setting `uplink`. */
  isConfigured(device: string, mac: string): boolean {
    const { configured, table } = this.#options;
    return (
      configured?.device === device &&
      (configured.mac === mac || (configured.address !== null && table.macOf(device, configured.address) === mac))
    );
  }

  /** Continues with the uplink of an earlier run. */
  adopt(id: number | null, uplinks: Installed['uplinks']): void {
    this.#id = id;
    this.#choose(uplinks);
  }

  /**
   * @param uplinks routers of transport flows, as the packet path noted them
   * @param devices on which gateways are learnt
   * @returns what became of the table, for the caller to note; and whether the uplink is another now
   */
  async poll(
    need: UplinkNeed,
    uplinks: Installed['uplinks'],
    devices: ReadonlySet<string>,
  ): Promise<{ readonly changes: readonly GatewayChange[]; readonly hasChanged: boolean }> {
    const { configured, table } = this.#options;
    const before = this.#id;
    const changes: GatewayChange[] = [];
    if (configured !== null) {
      if (configured.mac !== null && devices.has(configured.device))
        changes.push(...table.frame(configured.device, configured.mac));
      else if (this.gateway === null) await resolveRouter(configured);
    }
    this.#choose(uplinks);
    if (configured === null) this.#seek(need, uplinks);
    return { changes, hasChanged: before !== this.#id };
  }

  /**
   * Of two uplinks that both carry clients neither is better, so it stays. It changes when it is gone, or when nothing
   * came from it for a while (clients send at least keepalives) and something did from another.
   */
  #choose(uplinks: Installed['uplinks']): void {
    const { configured, table, isSilent } = this.#options;
    if (configured !== null) {
      const { device, mac, address } = configured;
      this.#set(address === null ? table.bySource(device, mac ?? '') : table.byAddress(device, address));
      return;
    }
    const current = this.gateway;
    const recent = uplinks
      .toSorted((a, b) => (b.expiresSeconds ?? 0) - (a.expiresSeconds ?? 0))
      .map(({ device, mac }) => table.bySource(device, mac))
      .filter((gateway) => gateway !== null);
    this.#hasOthers = recent.some(({ id }) => id !== current?.id);
    const chosen =
      current === null || (this.#isGuessed && recent.length > 0)
        ? recent[0]
        : isSilent(current.id)
          ? recent.find(({ id }) => !isSilent(id))
          : undefined;
    if (chosen === undefined && current !== null) return;
    this.#isGuessed = false;
    this.#set(chosen ?? null);
  }

  /** An OpenVPN client has to send before anybody can answer: one router after the other. */
  #seek(need: UplinkNeed, uplinks: Installed['uplinks']): void {
    const { table } = this.#options;
    const isProven = this.#id !== null && !this.#isGuessed && uplinks.length > 0;
    const chosen = this.#seeker.choose(need, table.list(), isProven, performance.now());
    if (chosen === null) return;
    this.#isGuessed = true;
    this.#set(table.list().find((gateway) => isSame(gateway, chosen)) ?? null);
  }

  #set(chosen: Gateway | null): void {
    if (this.#id === (chosen?.id ?? null)) return;
    this.#id = chosen?.id ?? null;
    this.#options.logger.info('uplink.changed', { gateway: this.#id, device: chosen?.device, mac: chosen?.mac });
  }
}
