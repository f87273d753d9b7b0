import type { Link, Transport, Tunnel } from '../../rules/index.js';
import type { Settings } from '../config/settings.js';
import type { Devices } from '../discovery/devices.js';
import type { Logger } from '../log/logger.js';
import { type Surroundings, surroundingsOf } from '../sessions/surroundings.js';
import { placeOf } from '../sources/place.js';
import { SourceLog } from '../sources/source-log.js';
import { toTransportStatus } from '../sources/transport-status.js';
import type { SourceKind, SourceSurroundings, VpnSource } from '../sources/vpn-source.js';
import { repeat } from '../system/repeat.js';
import type { InterfaceDump } from './dump.js';
import { Peers } from './peers.js';
import { readInterface, type WgReading } from './wg.js';

/** The setting `wireguard.interfaces`. */
export const wireguardInterfaces: SourceKind = ({ wireguard }) =>
  wireguard.interfaces.map((device) => ({
    name: `wireguard ${device}`,
    create: (surroundings, settings) => new WireguardSource(device, settings, surroundings),
  }));

const NOT_LOOKED_FOR = 'its device was not looked for yet';

/** A WireGuard interface: its peers and its listen port, as `wg` tells them at intervals. */
class WireguardSource implements VpnSource {
  readonly name: string;
  /** A peer's allowed IPs are its own. */
  readonly servesClients = true;
  readonly #device: string;
  readonly #peers: Peers;
  readonly #logger: Logger;
  readonly #log: SourceLog;
  readonly #onChanged: () => Promise<void>;
  readonly #stop = new AbortController();
  #settings: Settings;
  #tunnel: Tunnel | null = null;
  #links: readonly Link[] = [];
  #placeProblem: string | null = NOT_LOOKED_FOR;
  #reading: WgReading | null = null;
  /** What is known stays while `wg` fails: the traffic continues. */
  #dump: InterfaceDump | null = null;
  #looking: Promise<void> = Promise.resolve();
  #settle: () => void = () => undefined;
  readonly settled = new Promise<void>((resolve) => {
    this.#settle = resolve;
  });

  constructor(
    device: string,
    settings: Settings,
    { clients, onClientChanged, onChanged, logger }: SourceSurroundings,
  ) {
    this.name = `wireguard ${device}`;
    this.#device = device;
    this.#settings = settings;
    this.#onChanged = onChanged;
    this.#logger = logger.child({ source: this.name });
    this.#log = new SourceLog(this.#logger);
    this.#peers = new Peers({ source: this.name, clients, logger: this.#logger, onChanged: onClientChanged });
  }

  get tunnel(): Tunnel | null {
    return this.#tunnel;
  }

  get transports(): readonly Transport[] {
    const port = this.#dump?.listenPort ?? null;
    return port === null ? [] : [{ protocol: 'udp', address: null, families: [4, 6], port }];
  }

  get isHeardOf(): boolean {
    return this.#dump !== null || (this.#tunnel === null && this.#placeProblem !== NOT_LOOKED_FOR);
  }

  get problem(): string | null {
    if (this.#placeProblem !== null) return this.#placeProblem;
    if (this.#reading === null) return 'its peers were not read yet';
    if ('problem' in this.#reading) return this.#reading.problem;
    return this.transports.length === 0 ? 'it has no listen port' : null;
  }

  get peerCount(): number {
    return this.#peers.count;
  }

  async resolve(devices: Devices): Promise<void> {
    const place = placeOf(this.#device, devices);
    const isNew = this.#tunnel === null && 'tunnel' in place;
    this.#links = devices.links;
    this.#placeProblem = 'problem' in place ? place.problem : null;
    this.#tunnel = 'tunnel' in place ? place.tunnel : null;
    if (this.#tunnel === null) {
      this.#dump = null;
      this.#reading = null;
      this.#settle();
    }
    if (isNew) await this.#look();
    else this.#apply();
  }

  async run(): Promise<void> {
    await repeat(
      () => this.#settings.wireguard.pollIntervalMs,
      async () => {
        const before = JSON.stringify(this.transports);
        if (this.#tunnel !== null) await this.#look();
        if (JSON.stringify(this.transports) !== before) await this.#onChanged();
      },
      this.#stop.signal,
      this.#logger,
    );
  }

  reconfigure(settings: Settings): void {
    this.#settings = settings;
    void this.#onChanged();
  }

  retire(): void {
    this.#tunnel = null;
    this.#dump = null;
    this.#apply();
  }

  status(): ReturnType<VpnSource['status']> {
    const { networks, refused, shared } = this.#peers;
    return {
      source: {
        kind: 'wireguard',
        name: this.#device,
        state: this.problem === null ? 'ready' : 'waiting',
        transport: this.transports.map(toTransportStatus),
        transportSource: this.transports.length === 0 ? null : 'wg',
        networks,
        ...(refused.length === 0 ? {} : { refused }),
        ...(shared.length === 0 ? {} : { shared }),
      },
      peers: this.#peers.status(this.#device),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#settle();
    await this.#looking;
  }

  /** One at a time: an older answer must not follow a newer one. */
  #look(): Promise<void> {
    this.#looking = this.#looking.then(() => this.#lookNow());
    return this.#looking;
  }

  async #lookNow(): Promise<void> {
    const reading = await readInterface(this.#device);
    if (this.#stop.signal.aborted || this.#tunnel === null) return;
    this.#reading = reading;
    if ('dump' in reading) this.#dump = reading.dump;
    this.#apply();
    this.#settle();
  }

  #apply(): void {
    const surroundings: Surroundings = surroundingsOf(this.#links, this.#tunnel);
    this.#peers.set(this.#dump?.peers ?? [], {
      device: this.#tunnel?.device ?? null,
      surroundings,
      handshakeTimeoutMs: this.#settings.wireguard.handshakeTimeout * 1000,
      now: new Date(),
    });
    if (this.#stop.signal.aborted) return;
    this.#log.looked(this.problem, {
      device: this.#device,
      transports: this.transports,
      transportSource: `wg show ${this.#device}`,
    });
  }
}
