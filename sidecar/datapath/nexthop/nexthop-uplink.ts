import type { Gateway } from '../../../rules/index.js';
import type { ConfiguredUplink } from '../../config/places.js';
import type { Installed, SeenMac } from '../../firewall/firewall.js';
import type { Logger } from '../../log/logger.js';
import type { UplinkNeed } from '../uplink-seeker.js';
import { UplinkSeeker, isSame, resolveRouter } from '../uplink-seeker.js';
import type { GatewayChange } from './gateway-change.js';
import type { GatewayTable } from './gateway-table.js';

export interface NexthopUplinkOptions {
  /** The setting `uplink`; null: found by itself. */
  readonly configured: ConfiguredUplink | null;
  readonly table: GatewayTable;
  /** Nothing came from this gateway for so long that it carries no clients. */
  readonly isSilent: (id: number) => boolean;
  readonly logger: Logger;
}

/** What the packet path noted. */
export interface UplinkEvidence {
  /** Routers of transport flows. */
  readonly uplinks: readonly SeenMac[];
  /** Routers that captured frames were sent to. */
  readonly destinations: readonly SeenMac[];
}

/**
 * How sure it is that the uplink leads to where OpenVPN's peers are. `tried`: nothing came from it yet. `frame`: a
 * host's frame for the VPN was sent to it, so the hosts take it for the way out. `transport`: OpenVPN's own packets
 * came from it.
 */
type Proof = 'tried' | 'frame' | 'transport';

/** Chooses the gateway of last resort: configured, found by transport flows or by captured frames, or tried. */
export class NexthopUplink {
  readonly #options: NexthopUplinkOptions;
  readonly #seeker = new UplinkSeeker();
  #id: number | null = null;
  /** Another router than the uplink opened a transport flow lately. */
  #hasOthers = false;
  #proof: Proof = 'tried';
  /** An earlier run chose it, for a reason that the first poll shows. */
  #isAdopted = false;

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
    this.#proof = 'transport';
    this.#isAdopted = true;
    this.#choose({ uplinks, destinations: [] });
  }

  /**
   * @param devices on which gateways are learnt
   * @returns what became of the table, for the caller to note; and whether the uplink is another now
   */
  async poll(
    need: UplinkNeed,
    evidence: UplinkEvidence,
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
    this.#judgeAdopted(evidence);
    this.#choose(evidence);
    if (configured === null) this.#seek(need, evidence);
    return { changes, hasChanged: before !== this.#id };
  }

  /**
   * Of two uplinks that both carry clients neither is better, so it stays. It changes when it is gone, or when nothing
   * came from it for a while (clients send at least keepalives) and something did from another.
   */
  #choose({ uplinks, destinations }: UplinkEvidence): void {
    const { configured, table, isSilent } = this.#options;
    if (configured !== null) {
      const { device, mac, address } = configured;
      this.#set(address === null ? table.bySource(device, mac ?? '') : table.byAddress(device, address), 'transport');
      return;
    }
    const current = this.gateway;
    const recent = this.#latestFirst(uplinks);
    this.#hasOthers = recent.some(({ id }) => id !== current?.id);
    const isProven = current !== null && this.#proof === 'transport';
    const chosen = isProven && isSilent(current.id) ? recent.find(({ id }) => !isSilent(id)) : undefined;
    const better = isProven ? chosen : recent[0];
    if (better !== undefined) {
      this.#set(better, 'transport');
      return;
    }
    // What hosts send to is some evidence, and of two such routers neither is better.
    const [destination] = current === null || this.#proof === 'tried' ? this.#latestFirst(destinations) : [];
    if (destination !== undefined) this.#set(destination, 'frame');
    else if (current === null) this.#set(null, 'tried');
  }

  /** Those that are gateways. */
  #latestFirst(seen: readonly SeenMac[]): Gateway[] {
    return seen
      .toSorted((a, b) => (b.expiresSeconds ?? 0) - (a.expiresSeconds ?? 0))
      .map(({ device, mac }) => this.#options.table.bySource(device, mac))
      .filter((gateway) => gateway !== null);
  }

  /** Rules say what an earlier run knew: of an uplink that is among destinations alone, that frames were sent to it. */
  #judgeAdopted({ uplinks, destinations }: UplinkEvidence): void {
    if (!this.#isAdopted) return;
    this.#isAdopted = false;
    const isAmong = (seen: readonly SeenMac[]): boolean => this.#latestFirst(seen).some(({ id }) => id === this.#id);
    if (isAmong(destinations) && !isAmong(uplinks)) this.#proof = 'frame';
  }

  /** An OpenVPN client has to send before anybody can answer: one router after the other. */
  #seek(need: UplinkNeed, { uplinks, destinations }: UplinkEvidence): void {
    const { table } = this.#options;
    const isProven =
      this.#id !== null &&
      ((this.#proof === 'transport' && uplinks.length > 0) || (this.#proof === 'frame' && destinations.length > 0));
    const chosen = this.#seeker.choose(need, table.list(), isProven, performance.now());
    if (chosen === null) return;
    this.#set(table.list().find((gateway) => isSame(gateway, chosen)) ?? null, 'tried');
  }

  #set(chosen: Gateway | null, proof: Proof): void {
    this.#proof = proof;
    if (this.#id === (chosen?.id ?? null)) return;
    this.#id = chosen?.id ?? null;
    this.#options.logger.info('uplink.changed', { gateway: this.#id, device: chosen?.device, mac: chosen?.mac });
  }
}
