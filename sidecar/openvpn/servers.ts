import type { Transport, Tunnel } from '../../rules/index.js';
import { transportComment } from '../../rules/index.js';
import { formatEndpoint } from 'openvpn-management-client';
import type { ConfiguredEndpoint, Settings } from '../config/settings.js';
import type { Devices } from '../discovery/devices.js';
import type { Followed } from '../sources/vpn-source.js';
import { Instance } from './instance.js';
import type { InstanceOptions } from './instance-options.js';

/** Everything that a server needs except its settings. */
export type ServerSurroundings = Omit<InstanceOptions, 'endpoint' | 'settings'>;

/** The servers of the setting `management.endpoints`, in its order, which may change while they are followed. */
export class Servers implements Followed {
  readonly #surroundings: ServerSurroundings;
  #settings: Settings;
  #list: readonly Instance[];
  #fail: (reason: unknown) => void = () => undefined;

  constructor(settings: Settings, surroundings: ServerSurroundings) {
    this.#settings = settings;
    this.#surroundings = surroundings;
    this.#list = settings.management.endpoints.map((endpoint) => this.#create(endpoint));
  }

  get list(): readonly Instance[] {
    return this.#list;
  }

  /** Tunnels of those that have one, in order. */
  get tunnels(): readonly Tunnel[] {
    return this.#list.flatMap(({ place }) => place.tunnel ?? []);
  }

  /** Transports of all of them. */
  get transports(): readonly Transport[] {
    return this.#list.flatMap(({ place }) => place.transports);
  }

  get problems(): readonly string[] {
    return this.#list.flatMap(({ problem }) => problem ?? []);
  }

  get clientCount(): number {
    return this.#list.reduce((sum, { clientCount }) => sum + clientCount, 0);
  }

  /** False for the tunnel of an OpenVPN client, which leads to networks of which nobody says who is there. */
  servesClients(device: string): boolean {
    return !this.#list.some(({ role, place }) => role === 'client' && place.tunnel?.device === device);
  }

  /** Of each it is known now who is connected. */
  get areHeardOf(): boolean {
    return this.#list.every(({ state }) => state !== 'connecting');
  }

  /** Resolves when each was heard of, or tried without success. */
  async settled(): Promise<void> {
    await Promise.all(this.#list.map(({ settled }) => settled));
  }

  /** Whether one of them needs a router to send to: a client does, until it is connected. */
  get uplinkNeed(): 'none' | 'seeking' | 'satisfied' {
    const needs = this.#list.map(({ uplinkNeed }) => uplinkNeed);
    if (needs.includes('seeking')) return 'seeking';
    return needs.includes('satisfied') ? 'satisfied' : 'none';
  }

  /**
   * Those of some servers' transports that are no other server's than the one of this name, as far as OpenVPN told.
   */
  withoutOthers(name: string, transports: readonly Transport[]): readonly Transport[] {
    const others = this.#list
      .filter((server) => server.name !== name && server.place.sources.transport !== 'earlier')
      .flatMap(({ place }) => place.transports.map(transportComment));
    return transports.filter(
      (transport) => transport.remote === undefined && !others.includes(transportComment(transport)),
    );
  }

  async resolve(devices: Devices): Promise<void> {
    for (const instance of this.#list) await instance.resolve(devices);
  }

  /** Follows every server until disposal; never resolves, and rejects only for a fault of our own. */
  follow(): Promise<never> {
    const failed = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    // Whoever does not wait for it has ended everything already.
    failed.catch(() => undefined);
    for (const server of this.#list) this.#start(server);
    return failed;
  }

  /** Follows the configured servers: starts to follow new ones, leaves the others, and removes their clients. */
  async reconfigure(settings: Settings): Promise<void> {
    this.#settings = settings;
    const known = new Map(this.#list.map((server) => [server.name, server]));
    const servers = settings.management.endpoints.map(
      (endpoint) => known.get(formatEndpoint(endpoint)) ?? this.#create(endpoint),
    );
    const retired = this.#list.filter((server) => !servers.includes(server));
    this.#list = servers;
    for (const server of servers) {
      if (known.has(server.name)) server.reconfigure(settings);
      else this.#start(server);
    }
    await Promise.all(retired.map((server) => server.retire()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#list.map((server) => server[Symbol.asyncDispose]()));
  }

  #create(endpoint: ConfiguredEndpoint): Instance {
    return new Instance({ ...this.#surroundings, endpoint, settings: this.#settings });
  }

  #start(server: Instance): void {
    server.run().catch((error: unknown) => this.#fail(error));
  }
}
