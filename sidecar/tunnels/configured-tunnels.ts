import type { Transport, Tunnel } from '../../rules/index.js';
import { networksOfTunnel, transportOf } from '../config/policy.js';
import type { ConfiguredTunnel, Settings } from '../config/settings.js';
import type { Devices } from '../discovery/devices.js';
import type { Logger } from '../log/logger.js';
import { surroundingsOf } from '../sessions/surroundings.js';
import { TunnelNetworks } from '../sessions/tunnel-networks.js';
import { placeOf } from '../sources/place.js';
import { SourceLog } from '../sources/source-log.js';
import { toTransportStatus } from '../sources/transport-status.js';
import type { SourceKind, SourceSurroundings, VpnSource } from '../sources/vpn-source.js';
import { repeat } from '../system/repeat.js';

/** How often it looks whether another VPN has one of its networks. */
const LOOK_MS = 2000;

/** The setting `tunnels`. */
export const configuredTunnels: SourceKind = ({ tunnels }) =>
  tunnels.map((configured) => ({
    name: nameOf(configured),
    create: (surroundings) => new TunnelSource(configured, surroundings),
  }));

function nameOf({ device }: ConfiguredTunnel): string {
  return `tunnel ${device}`;
}

/** A device of another VPN program, as the setting `tunnels` describes it: nothing is asked but whether it is up. */
class TunnelSource implements VpnSource {
  readonly name: string;
  /** Nobody says who is there. */
  readonly servesClients = false;
  readonly settled = Promise.resolve();
  readonly peerCount = 0;
  readonly #networks: TunnelNetworks;
  readonly #log: SourceLog;
  readonly #onChanged: () => Promise<void>;
  readonly #logger: Logger;
  readonly #stop = new AbortController();
  #configured: ConfiguredTunnel;
  #tunnel: Tunnel | null = null;
  #problem: string | null = 'its device was not looked for yet';
  #isHeardOf = false;

  constructor(configured: ConfiguredTunnel, { clients, onClientChanged, onChanged, logger }: SourceSurroundings) {
    this.name = nameOf(configured);
    this.#configured = configured;
    this.#onChanged = onChanged;
    this.#logger = logger.child({ source: this.name });
    this.#log = new SourceLog(this.#logger);
    this.#networks = new TunnelNetworks({
      server: this.name,
      clients,
      logger: this.#logger,
      onChanged: onClientChanged,
    });
  }

  get tunnel(): Tunnel | null {
    return this.#tunnel;
  }

  get transports(): readonly Transport[] {
    return this.#configured.transports.map(transportOf);
  }

  get isHeardOf(): boolean {
    return this.#isHeardOf;
  }

  get problem(): string | null {
    return this.#problem;
  }

  resolve(devices: Devices): Promise<void> {
    const place = placeOf(this.#configured.device, devices);
    this.#isHeardOf = true;
    this.#tunnel = 'tunnel' in place ? place.tunnel : null;
    this.#problem = 'problem' in place ? place.problem : null;
    this.#networks.set(
      this.#tunnel?.device ?? null,
      networksOfTunnel(this.#configured),
      surroundingsOf(devices.links, this.#tunnel),
    );
    this.#networks.logShared();
    this.#log.looked(this.#problem, { device: this.#configured.device, transports: this.transports });
    return Promise.resolve();
  }

  /** Another VPN may come to a network of this one at any time. */
  run(): Promise<void> {
    return repeat(
      () => LOOK_MS,
      () => Promise.resolve(this.#networks.logShared()),
      this.#stop.signal,
      this.#logger,
    );
  }

  reconfigure(settings: Settings): void {
    this.#configured = settings.tunnels.find((each) => nameOf(each) === this.name) ?? this.#configured;
    void this.#onChanged();
  }

  retire(): void {
    this.#tunnel = null;
    this.#networks.set(null, [], surroundingsOf([], null));
  }

  status(): ReturnType<VpnSource['status']> {
    const { device } = this.#configured;
    const refused = this.#networks.refused;
    const shared = this.#networks.shared();
    return {
      source: {
        kind: 'tunnel',
        name: device,
        state: this.#problem === null ? 'ready' : 'waiting',
        transport: this.transports.map(toTransportStatus),
        transportSource: 'setting',
        networks: [...this.#networks.list()],
        ...(refused.length === 0 ? {} : { refused }),
        ...(shared.length === 0 ? {} : { shared }),
      },
      peers: [],
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    return Promise.resolve();
  }
}
