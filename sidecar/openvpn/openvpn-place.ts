import type { Transport, Tunnel } from '../../rules/index.js';
import type { Devices } from '../discovery/devices.js';
import type { Found, OpenVpnEvidence } from '../discovery/openvpn-evidence.js';
import type { Logger } from '../log/logger.js';
import type { Role } from './role.js';
import type { EvidenceSource } from '../status.js';

/** The state of OpenVPN when its place is determined. */
export interface PlaceQuestion {
  readonly devices: Devices;
  /** It has started, and we are connected to it: asked again after every wait, for it may have ended meanwhile. */
  readonly isConnected: () => boolean;
  /** Its process has exited. */
  readonly isGone: boolean;
  /** The addresses of its tunnel, as its state told them. */
  readonly addresses: readonly string[];
  /** Where it sends its packets ({@link Role.remotes}); null of one that serves sockets of its own. */
  readonly remotes: readonly Transport[] | null;
}

/**
 * Where one OpenVPN is in the kernel: its tunnel device and the sockets that it serves, and who told so.
 *
 * What is known stays while OpenVPN restarts or its management connection is lost, for its traffic continues; only a
 * process that has ended has no place.
 */
export class OpenVpnPlace {
  readonly evidence: OpenVpnEvidence;
  readonly #logger: Logger;
  #device: Found<string> | null = null;
  #transports: Found<readonly Transport[]> | null = null;
  #remotes: readonly Transport[] = [];
  #tunnel: Tunnel | null = null;
  #isTap = false;
  /** The first look at a start decides, even if it finds nothing; later ones only correct. */
  #isDecided = false;

  constructor(evidence: OpenVpnEvidence, logger: Logger) {
    this.evidence = evidence;
    this.#logger = logger;
  }

  get tunnel(): Tunnel | null {
    return this.#tunnel;
  }

  /** Of a client: its servers, as far as it may send to them. */
  get transports(): readonly Transport[] {
    return [...(this.#transports?.value ?? []), ...this.#remotes];
  }

  get sources(): { readonly device: EvidenceSource | null; readonly transport: EvidenceSource | null } {
    return {
      device: this.#tunnel === null ? null : (this.#device?.source ?? null),
      transport: this.#transports?.source ?? null,
    };
  }

  /** Why traffic cannot go through it, as a sentence without the server's name; null when it can. */
  problem({ remotes }: Pick<Role, 'remotes'>): string | null {
    if (this.#isTap)
      return `OpenVPN runs with dev tap (${this.#device?.value}): hosts behind it have their own MAC addresses, and ARP finds them, so gwmark has nothing to do; it is for dev tun`;
    if (this.#tunnel === null) {
      if (remotes !== null) return 'OpenVPN is not connected to its server yet';
      return this.#isDecided && this.#device !== null
        ? `the tunnel device ${this.#device.value} of OpenVPN is not up in this network namespace`
        : 'OpenVPN has no tunnel yet';
    }
    if (remotes !== null || this.#transports !== null) return null;
    return `OpenVPN's sockets are unknown: ${this.evidence.reason}; set transport, for example udp/1194`;
  }

  /** A new start of OpenVPN was read: what was known before counts only if it is found again. */
  decideAnew(): void {
    this.#isDecided = false;
  }

  /** Another process. */
  forget(): void {
    this.evidence.forget();
    this.#device = null;
    this.#transports = null;
    this.#isDecided = false;
  }

  /** Stops following this OpenVPN. */
  leave(): void {
    this.forget();
    this.#tunnel = null;
    this.#remotes = [];
  }

  /** Looks again. Resolves with true when something differs from before. */
  async resolve(question: PlaceQuestion): Promise<boolean> {
    const { devices, remotes, isGone } = question;
    const before = JSON.stringify([this.#tunnel, this.transports]);
    if (isGone) this.forget();
    else if (question.isConnected() && this.evidence.isRead) await this.#ask(question);
    this.#remotes = remotes ?? [];
    this.#tunnel = devices.tunnels.find(({ device }) => device === this.#device?.value) ?? null;
    this.#isTap = this.#device !== null && devices.taps.includes(this.#device.value);
    return JSON.stringify([this.#tunnel, this.transports]) !== before;
  }

  async #ask({ devices, remotes, addresses, isConnected }: PlaceQuestion): Promise<void> {
    const device = await this.evidence.device(devices, addresses);
    const transports = remotes === null ? await this.evidence.transports() : null;
    if (!isConnected() || !this.evidence.isRead) return;
    if (device !== null && JSON.stringify(device) !== JSON.stringify(this.#device))
      this.#logger.info('server.device', { device: device.value, source: device.source });
    if (transports !== null && JSON.stringify(transports) !== JSON.stringify(this.#transports))
      this.#logger.info('server.transport', { transports: transports.value, source: transports.source });
    if (transports === null && remotes === null && !this.#isDecided)
      this.#logger.warn('server.transport_unknown', { reason: this.evidence.reason });
    this.#device = device ?? this.#device;
    if (transports !== null || !this.#isDecided) this.#transports = transports;
    this.#isDecided = true;
  }
}
