import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import { Capture } from './capture.js';
import { OpenVpnClient, OpenVpnServer, type Transport } from './openvpn.js';
import { type Identity, Pki } from './pki.js';
import { Sidecar } from './sidecar.js';
import type { Party } from './traffic.js';
import { type Shape, SITES, type SiteName, TwoSites } from './two-sites.js';
import { eventually, patient } from './wait.js';

/** Addresses inside the tunnel. */
export const TUNNEL_OF = {
  A: { v4: '10.8.0.1', v6: 'fd00:8::1' },
  B: { v4: '10.8.0.11', v6: 'fd00:8::11' },
} as const;

export interface TwoSitesOptions {
  readonly shape: Shape;
  readonly transport: Transport;
  /** Lines for the client's configuration, verbatim. */
  readonly clientExtra?: readonly string[];
  /** What the server pushes; default: routes to the hosts of its site. */
  readonly push?: readonly string[];
  /** Flags of the sidecar beside the client. */
  readonly flags?: readonly string[];
  /** The client waits under `--management-hold`. */
  readonly hold?: boolean;
  /** Ping interval and timeout of the tunnel, seconds; default 1 and 4. */
  readonly keepalive?: readonly [number, number];
}

/**
 * Two sites: a server with its sidecar on endpoint A, a client with its own on endpoint B. `create` starts the
 * server's side; the client's side is started by the test. Disposal ends all.
 */
export class TwoSitesLab implements AsyncDisposable {
  readonly topology: TwoSites;
  readonly options: TwoSitesOptions;
  readonly server: OpenVpnServer;
  readonly serverSidecar: Sidecar;
  readonly #pki: Pki;
  readonly #identity: Identity;
  #client: OpenVpnClient | undefined;
  #sidecar: Sidecar | undefined;

  private constructor(
    topology: TwoSites,
    options: TwoSitesOptions,
    pki: Pki,
    server: OpenVpnServer,
    serverSidecar: Sidecar,
    identity: Identity,
  ) {
    this.topology = topology;
    this.options = options;
    this.#pki = pki;
    this.server = server;
    this.serverSidecar = serverSidecar;
    this.#identity = identity;
  }

  static async create(options: TwoSitesOptions): Promise<TwoSitesLab> {
    const topology = await TwoSites.create(options.shape);
    const pki = await Pki.create();
    let server: OpenVpnServer | undefined;
    try {
      const [identity, siteB] = await Promise.all([pki.issue('server', 'server'), pki.issue('siteB', 'client')]);
      const { hosts } = SITES.B;
      server = await OpenVpnServer.start({
        namespace: topology.sites.A.endpoint,
        pki,
        identity,
        transport: options.transport,
        network: '10.8.0.0 255.255.255.0',
        network6: 'fd00:8::/64',
        management: {},
        clients: {
          siteB: {
            address: TUNNEL_OF.B.v4,
            address6: TUNNEL_OF.B.v6,
            subnets: [withNetmask(hosts.v4)],
            subnets6: [hosts.v6],
          },
        },
        push: options.push ?? [`route ${withNetmask(SITES.A.hosts.v4)}`, `route-ipv6 ${SITES.A.hosts.v6}`],
        ...(options.keepalive === undefined ? {} : { keepalive: options.keepalive }),
        extra: options.transport.startsWith('tcp') ? [] : ['explicit-exit-notify 1'],
      });
      await Promise.all(['A', 'B'].map((site) => mkdir(path.join(pki.directory, `site${site}`))));
      const serverSidecar = await Sidecar.start({
        namespace: topology.sites.A.endpoint,
        directory: path.join(pki.directory, 'siteA'),
        managementSocket: server.managementSocket,
      });
      return new TwoSitesLab(topology, options, pki, server, serverSidecar, siteB);
    } catch (error) {
      await server?.stop();
      await topology[Symbol.asyncDispose]();
      await pki[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The sidecar beside the client. */
  get sidecar(): Sidecar {
    if (this.#sidecar === undefined) throw new Error('the client has no sidecar yet');
    return this.#sidecar;
  }

  get client(): OpenVpnClient {
    if (this.#client === undefined) throw new Error('the client was never started');
    return this.#client;
  }

  /** Starts the OpenVPN client without waiting for anything. */
  async launchClient(): Promise<OpenVpnClient> {
    const { transport, clientExtra, hold } = this.options;
    this.#client = await OpenVpnClient.launch({
      namespace: this.topology.sites.B.endpoint,
      pki: this.#pki,
      identity: this.#identity,
      transport,
      remote: SITES.A.endpoint[transport.endsWith('6') ? 'v6' : 'v4'],
      management: hold === true ? { hold } : {},
      ...(clientExtra === undefined ? {} : { extra: clientExtra }),
    });
    return this.#client;
  }

  /**
   * Starts the sidecar beside the client without waiting until it is ready: it is not before the client is connected.
   */
  launchSidecar(...flags: readonly string[]): Sidecar {
    this.#sidecar = Sidecar.launch({
      namespace: this.topology.sites.B.endpoint,
      directory: path.join(this.#pki.directory, 'siteB'),
      managementSocket: this.client.managementSocket,
      flags: [...(this.options.flags ?? []), ...flags],
    });
    return this.#sidecar;
  }

  /**
   * One packet of the host of a site for the other site: its router asks ARP and ND for the endpoint, or sends through
   * it.
   */
  async knock(site: SiteName): Promise<void> {
    const other = SITES[site === 'A' ? 'B' : 'A'];
    await Promise.all(
      (['v4', 'v6'] as const).map(
        async (family) =>
          await this.topology.sites[site].host.tryRun(['ping', '-n', '-c', '1', '-W', '1', other.host[family]]),
      ),
    );
  }

  /**
   * Starts the client and its sidecar, lets the host of its site knock until both are up, and waits until each knows
   * the other.
   */
  async join(): Promise<void> {
    await this.launchClient();
    this.launchSidecar();
    await this.rejoin();
  }

  /** Waits until the client is connected, both sidecars say so, and the hosts of both sites were heard. */
  async rejoin(): Promise<void> {
    await eventually(
      async () => {
        await this.knock('B');
        await this.knock('A');
        return this.sidecar.statusWhere(({ ready }) => ready, 'ready', 100).catch(() => undefined);
      },
      { what: 'the client is connected and its sidecar is ready', timeoutMs: 45_000 },
    ).catch((error: unknown) => {
      throw new Error(
        `${String(error)}\nOpenVPN:\n  ${this.client.process.lines.slice(-20).join('\n  ')}\nsidecar:\n  ${this.sidecar.process.lines.slice(-40).join('\n  ')}`,
        { cause: error },
      );
    });
    await this.serverSidecar.statusWhere(
      ({ clients }) =>
        clients.some(({ addresses }) => addresses.includes(SITES.B.hosts.v4) && addresses.includes(SITES.B.hosts.v6)),
      'the server knows site B',
      15_000,
    );
    await this.sidecar.statusWhere(
      ({ servers }) =>
        servers.some(
          ({ networks = [] }) => networks.includes(SITES.A.hosts.v4) && networks.includes(SITES.A.hosts.v6),
        ),
      'the client knows site A',
      15_000,
    );
  }

  party(site: SiteName, family: 'v4' | 'v6'): Party {
    return { namespace: this.topology.sites[site].host, address: SITES[site].host[family] };
  }

  async capture(site: SiteName, to: 'r' | 'u' | 'endpoint' = 'endpoint', filter = ''): Promise<Capture> {
    const { namespace, device } = this.topology.cable(site, to);
    return await Capture.start(namespace, device, filter);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sidecar?.[Symbol.asyncDispose]();
    await this.#client?.stop();
    await this.serverSidecar[Symbol.asyncDispose]();
    await this.server.stop();
    await this.topology[Symbol.asyncDispose]();
    await this.#pki[Symbol.asyncDispose]();
  }
}

/** How long a test of this lab may take, milliseconds. */
export const TWO_SITES_TIMEOUT_MS = patient(90_000);

/** `198.51.100.0/25` as OpenVPN writes it. */
function withNetmask(cidr: string): string {
  const [network = '', length = '0'] = cidr.split('/');
  const mask = (0xffff_ffff << (32 - Number(length))) >>> 0;
  return `${network} ${[24, 16, 8, 0].map((shift) => (mask >>> shift) & 255).join('.')}`;
}
