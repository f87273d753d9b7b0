import type { Transport, Tunnel } from '../../rules/index.js';
import type { Settings } from '../config/settings.js';
import type { Devices } from '../discovery/devices.js';
import type { StatusDocument } from '../status.js';
import type { Followed, SourceKind, SourceSurroundings, VpnSource } from './vpn-source.js';

/** Every VPN that is followed: OpenVPN's, and the sources of all kinds, which may change while they are followed. */
export class Sources implements Followed {
  readonly #openvpn: Followed;
  readonly #kinds: readonly SourceKind[];
  readonly #surroundings: SourceSurroundings;
  #list: readonly VpnSource[];
  #fail: (reason: unknown) => void = () => undefined;

  /** @param openvpn followed and disposed of here */
  constructor(settings: Settings, openvpn: Followed, kinds: readonly SourceKind[], surroundings: SourceSurroundings) {
    this.#openvpn = openvpn;
    this.#kinds = kinds;
    this.#surroundings = surroundings;
    this.#list = this.#named(settings).map(({ create }) => create(surroundings, settings));
  }

  get tunnels(): readonly Tunnel[] {
    return [...this.#openvpn.tunnels, ...this.#list.flatMap(({ tunnel }) => tunnel ?? [])];
  }

  get transports(): readonly Transport[] {
    return [...this.#openvpn.transports, ...this.#list.flatMap(({ transports }) => transports)];
  }

  get areHeardOf(): boolean {
    return this.#openvpn.areHeardOf && this.#list.every(({ isHeardOf }) => isHeardOf);
  }

  get problems(): readonly string[] {
    return [
      ...this.#openvpn.problems,
      ...this.#list.flatMap(({ name, problem }) => (problem === null ? [] : [`${name}: ${problem}`])),
    ];
  }

  get clientCount(): number {
    return this.#list.reduce((sum, { peerCount }) => sum + peerCount, this.#openvpn.clientCount);
  }

  servesClients(device: string): boolean {
    const source = this.#list.find(({ tunnel }) => tunnel?.device === device);
    return source === undefined ? this.#openvpn.servesClients(device) : source.servesClients;
  }

  async settled(): Promise<void> {
    await Promise.all([this.#openvpn.settled(), ...this.#list.map(({ settled }) => settled)]);
  }

  async resolve(devices: Devices): Promise<void> {
    await this.#openvpn.resolve(devices);
    for (const source of this.#list) await source.resolve(devices);
  }

  follow(): Promise<never> {
    const failed = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    // Whoever does not wait for it has ended everything already.
    failed.catch(() => undefined);
    this.#openvpn.follow().catch((error: unknown) => this.#fail(error));
    for (const source of this.#list) this.#start(source);
    return failed;
  }

  async reconfigure(settings: Settings): Promise<void> {
    await this.#openvpn.reconfigure(settings);
    const known = new Map(this.#list.map((source) => [source.name, source]));
    const list = this.#named(settings).map(
      ({ name, create }) => known.get(name) ?? create(this.#surroundings, settings),
    );
    const retired = this.#list.filter((source) => !list.includes(source));
    this.#list = list;
    for (const source of list) {
      if (known.has(source.name)) source.reconfigure(settings);
      else this.#start(source);
    }
    for (const source of retired) {
      await source[Symbol.asyncDispose]();
      source.retire();
    }
  }

  /** What the status document has of the sources; nothing if there are none, as before there were any. */
  status(): Pick<StatusDocument, 'sources' | 'peers'> {
    if (this.#list.length === 0) return {};
    const parts = this.#list.map((source) => source.status());
    return { sources: parts.map(({ source }) => source), peers: parts.flatMap(({ peers }) => peers) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#openvpn[Symbol.asyncDispose]();
    await Promise.all(this.#list.map((source) => source[Symbol.asyncDispose]()));
  }

  #named(settings: Settings): ReturnType<SourceKind> {
    return this.#kinds.flatMap((kind) => kind(settings));
  }

  #start(source: VpnSource): void {
    source.run().catch((error: unknown) => this.#fail(error));
  }
}
