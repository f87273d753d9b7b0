import { Capture } from './capture.js';
import { type ClientConfig, type ManagementOptions, OpenVpnClient, OpenVpnServer, type Transport } from './openvpn.js';
import { type Identity, Pki } from './pki.js';
import { Sidecar } from './sidecar.js';
import { ADDRESS, type AddressPair, MAC, OneArm, type OneArmOptions, SECOND_LEG } from './topology.js';
import { type Party, reach } from './traffic.js';
import { eventually } from './wait.js';

/** Where a VPN client can run. */
export type ClientName = 'client1' | 'client2' | 'local';
/** Everything that traffic can start or end at. */
export type PartyName = 'hostA' | 'hostB' | 'site' | ClientName;

/** IP versions under test. */
export const FAMILIES = ['v4', 'v6'] as const;

/** Addresses inside the tunnel; the lab's server hands out these by common name. */
export const TUNNEL = {
  endpoint: { v4: '10.8.0.1', v6: 'fd00:8::1' },
  client1: { v4: '10.8.0.11', v6: 'fd00:8::11' },
  client2: { v4: '10.8.0.12', v6: 'fd00:8::12' },
  local: { v4: '10.8.0.13', v6: 'fd00:8::13' },
} as const satisfies Record<string, AddressPair>;

/** The same for clients whose addresses lie in the network of the segment, see {@link VpnLabOptions.isOnLan}. */
export const ON_LAN = {
  endpoint: { v4: '192.0.2.129', v6: '2001:db8::1:1' },
  client1: { v4: '192.0.2.131', v6: '2001:db8::1:131' },
  client2: { v4: '192.0.2.132', v6: '2001:db8::1:132' },
  local: { v4: '192.0.2.133', v6: '2001:db8::1:133' },
} as const satisfies Record<string, AddressPair>;

/** Smaller than the segment's 1500, so that a full-size packet from a host meets a smaller link at the endpoint. */
export const TUN_MTU = 1400;

/** How the lab is set up. */
export interface VpnLabOptions extends OneArmOptions {
  readonly transport: Transport;
  /**
   * Clients have addresses in the network of the segment, {@link ON_LAN}, and no router has a route to any. `local`
   * is a host of that network then, and no client.
   */
  readonly isOnLan?: boolean;
  readonly management?: ManagementOptions;
  /** As for {@link OpenVpnServer}. */
  readonly keepalive?: readonly [number, number];
  /** Lines for the server's configuration, verbatim. */
  readonly serverExtra?: readonly string[];
  /** What runs the server, in place of OPENVPN: see `openvpn-version.ts`. */
  readonly serverProgram?: readonly string[];
  /** Words before the sidecar's command: fewer capabilities, another user. */
  readonly sidecarPrefix?: readonly string[];
}

/** What the server gives to its clients. */
export function clientsAt(tunnel: typeof TUNNEL | typeof ON_LAN): Readonly<Record<ClientName, ClientConfig>> {
  return {
    client1: {
      address: tunnel.client1.v4,
      address6: tunnel.client1.v6,
      subnets: ['192.168.77.0 255.255.255.0'],
      subnets6: ['fd00:77::/64'],
    },
    client2: { address: tunnel.client2.v4, address6: tunnel.client2.v6 },
    local: { address: tunnel.local.v4, address6: tunnel.local.v6 },
  };
}

/** Into the tunnel lead the routes to the hosts behind routers. */
export const PUSHED = ['route 198.51.100.0 255.255.255.0', 'route-ipv6 2001:db8:a::/64', 'route-ipv6 2001:db8:b::/64'];
/** And to the segment, except to the endpoint, which the client's own packets go to. */
const PUSHED_ON_LAN = [
  ...PUSHED,
  'route 192.0.2.0 255.255.255.0',
  `route ${ADDRESS.endpoint.v4} 255.255.255.255 net_gateway`,
  'route-ipv6 2001:db8::/64',
];

/**
 * The one-arm topology with an OpenVPN server on the endpoint; clients and sidecar are started by the test. Disposal
 * ends all.
 */
export class VpnLab implements AsyncDisposable {
  readonly topology: OneArm;
  readonly pki: Pki;
  readonly server: OpenVpnServer;
  readonly options: VpnLabOptions;
  readonly #identities: Readonly<Record<ClientName, Identity>>;
  readonly #clients = new Map<ClientName, OpenVpnClient>();
  #sidecar: Sidecar | undefined;

  private constructor(
    topology: OneArm,
    pki: Pki,
    server: OpenVpnServer,
    identities: Record<ClientName, Identity>,
    options: VpnLabOptions,
  ) {
    this.topology = topology;
    this.pki = pki;
    this.server = server;
    this.options = options;
    this.#identities = identities;
  }

  /** Builds everything but clients and sidecar; the server is up (or in hold) when this resolves. */
  static async create(options: VpnLabOptions): Promise<VpnLab> {
    const topology = await OneArm.create(options);
    const pki = await Pki.create();
    try {
      const [identity, client1, client2, local] = await Promise.all([
        pki.issue('server', 'server'),
        pki.issue('client1', 'client'),
        pki.issue('client2', 'client'),
        pki.issue('local', 'client'),
      ]);
      const server = await OpenVpnServer.start({
        namespace: topology.endpoint,
        pki,
        identity,
        transport: options.transport,
        network: options.isOnLan === true ? '192.0.2.128 255.255.255.192' : '10.8.0.0 255.255.255.0',
        network6: options.isOnLan === true ? '2001:db8::1:0/112' : 'fd00:8::/64',
        tunMtu: TUN_MTU,
        management: options.management ?? {},
        ...(options.keepalive === undefined ? {} : { keepalive: options.keepalive }),
        clients: clientsAt(options.isOnLan === true ? ON_LAN : TUNNEL),
        push: options.isOnLan === true ? PUSHED_ON_LAN : PUSHED,
        ...(options.serverExtra === undefined ? {} : { extra: options.serverExtra }),
        ...(options.serverProgram === undefined ? {} : { program: options.serverProgram }),
      });
      return new VpnLab(topology, pki, server, { client1, client2, local }, options);
    } catch (error) {
      // What cannot be tidied up must not hide why.
      await Promise.allSettled([topology[Symbol.asyncDispose](), pki[Symbol.asyncDispose]()]);
      throw error;
    }
  }

  /**
   * A lab at work: its sidecar is ready and knows the routers, and these clients are connected and served.
   *
   * @param options `flags`: further ones of the sidecar
   */
  static async working(
    options: VpnLabOptions & { readonly flags?: readonly string[] },
    ...clients: readonly ClientName[]
  ): Promise<VpnLab> {
    const lab = await VpnLab.create(options);
    try {
      await lab.startSidecar(...(options.flags ?? []));
      await lab.introduceRouters();
      await lab.connect(...clients);
      return lab;
    } catch (error) {
      // What cannot be tidied up must not hide why.
      await Promise.allSettled([lab[Symbol.asyncDispose]()]);
      throw error;
    }
  }

  /** The sidecar of {@link startSidecar}. */
  get sidecar(): Sidecar {
    if (this.#sidecar === undefined) throw new Error('the lab has no sidecar yet');
    return this.#sidecar;
  }

  /** For short-lived files of a test. */
  get directory(): string {
    return this.pki.directory;
  }

  /** Of the server. */
  get managementSocket(): string {
    return this.server.managementSocket;
  }

  /** Addresses inside the tunnel. */
  get tunnel(): typeof TUNNEL | typeof ON_LAN {
    return this.options.isOnLan === true ? ON_LAN : TUNNEL;
  }

  /** The endpoint's addresses that clients connect to. */
  get served(): AddressPair {
    return this.options.hasTwoLegs === true ? SECOND_LEG.endpoint : ADDRESS.endpoint;
  }

  /** Starts the sidecar and waits until it is ready. */
  async startSidecar(...flags: readonly string[]): Promise<Sidecar> {
    this.#sidecar = await Sidecar.start({
      namespace: this.topology.endpoint,
      directory: this.pki.directory,
      managementSocket: this.server.managementSocket,
      listens: this.options.management?.connects === true,
      flags,
      prefix: this.options.sidecarPrefix ?? [],
    });
    return this.#sidecar;
  }

  /** Starts the sidecar without waiting until it is ready. */
  launchSidecar(...flags: readonly string[]): Sidecar {
    this.#sidecar = Sidecar.launch({
      namespace: this.topology.endpoint,
      directory: this.pki.directory,
      managementSocket: this.server.managementSocket,
      listens: this.options.management?.connects === true,
      flags,
      prefix: this.options.sidecarPrefix ?? [],
    });
    return this.#sidecar;
  }

  /** Starts a client without waiting for its connection. */
  async launchClient(name: ClientName): Promise<OpenVpnClient> {
    const { transport, management } = this.options;
    const client = await OpenVpnClient.launch({
      namespace: this.topology[name],
      pki: this.pki,
      identity: this.#identities[name],
      transport,
      remote: transport.endsWith('6') ? this.served.v6 : this.served.v4,
      ...(management?.clientAuth ? { login: { username: name, password: 'correct horse' } } : {}),
    });
    this.#clients.set(name, client);
    return client;
  }

  /** Starts clients and waits until they are connected and the sidecar, if there is one, serves them. */
  async connect(...names: readonly ClientName[]): Promise<void> {
    await Promise.all(names.map(async (name) => await (await this.launchClient(name)).connected()));
    if (this.#sidecar !== undefined) await this.known(...names);
  }

  /**
   * Resolves when the sidecar reports each of these clients with its addresses, and the kernel knows where their
   * packets go.
   */
  async known(...names: readonly ClientName[]): Promise<void> {
    const status = await this.sidecar.statusWhere(
      ({ clients, uplink, datapath }) =>
        (datapath === 'module' || uplink !== null) &&
        names.every((name) =>
          clients.some(
            (client) =>
              client.addresses.includes(this.tunnel[name].v4) && client.addresses.includes(this.tunnel[name].v6),
          ),
        ),
      `the sidecar knows ${names.join(', ')}, and the uplink`,
    );
    if (status.datapath === 'module') return;
    const device = status.servers[0]?.device ?? 'tun0';
    for (const name of names) {
      for (const family of FAMILIES) {
        const command = [
          'ip',
          'route',
          'get',
          ADDRESS.hostA[family],
          'from',
          this.tunnel[name][family],
          'iif',
          device,
        ];
        await eventually(async () => (await this.topology.endpoint.tryRun(command)).code === 0, {
          what: `a route for what ${name} sends`,
        });
      }
    }
  }

  /** The certificate of a client, for one that a test starts by itself. */
  identity(name: ClientName): Identity {
    return this.#identities[name];
  }

  /** The running client of that name. */
  client(name: ClientName): OpenVpnClient {
    const client = this.#clients.get(name);
    if (client === undefined) throw new Error(`${name} was never started`);
    return client;
  }

  /**
   * Lets both LAN routers and the upstream router talk to the endpoint, as they do every minute of a real day, and
   * waits until the sidecar knows them. A flow's very first packet from a router that nobody has heard of is another
   * matter. The kernel module needs no such introduction: it learns from the packet itself.
   */
  async introduceRouters(): Promise<void> {
    await Promise.all(
      (['r1', 'r2', 'u'] as const).flatMap((router) =>
        FAMILIES.map(async (family) => {
          await reach(this.topology[router], ADDRESS.endpoint[family]);
        }),
      ),
    );
    if ((await this.sidecar.status()).datapath === 'module') return;
    const wanted = [MAC.r1, MAC.r2, MAC.u];
    await this.sidecar.statusWhere(
      ({ gateways }) => wanted.every((mac) => gateways.some((gateway) => gateway.mac === mac)),
      'the sidecar knows the routers',
    );
  }

  /**
   * Where a name's traffic comes from: LAN hosts and the site by their own address, clients by their tunnel address.
   */
  party(name: PartyName, family: 'v4' | 'v6'): Party {
    const isHost =
      name === 'hostA' || name === 'hostB' || name === 'site' || (name === 'local' && this.options.isOnLan === true);
    const address = isHost ? ADDRESS[name][family] : this.tunnel[name][family];
    return { namespace: this.topology[name], address };
  }

  /** Records what crosses the endpoint's cable. */
  async capture(filter = ''): Promise<Capture> {
    return await Capture.start(this.topology.switch, 'to-endpoint', filter);
  }

  /** Connection tracking entries of the endpoint that contain every one of the texts. */
  async conntrack(...texts: readonly string[]): Promise<readonly string[]> {
    const families = await Promise.all(
      ['ipv4', 'ipv6'].map(
        async (family) => await this.topology.endpoint.run(['conntrack', '-L', '-f', family, '-o', 'extended']),
      ),
    );
    return families
      .join('')
      .split('\n')
      .filter((line) => line !== '' && texts.every((text) => line.includes(text)));
  }

  /**
   * The kind of the endpoint's tunnel device as `ip -d link` has it: `tun`, or `ovpn` and `ovpn-dco` with data channel
   * offload.
   */
  async tunnelKind(): Promise<string> {
    // Printed by ip(8).
    const [device] = JSON.parse(
      await this.topology.endpoint.run(['ip', '-j', '-d', 'link', 'show', 'dev', 'tun0']),
    ) as readonly { linkinfo?: { info_kind?: string } }[];
    return device?.linkinfo?.info_kind ?? 'unknown';
  }

  /** Resolves when a device is present in, or absent from, the endpoint. */
  async deviceIs(device: string, isPresent: boolean): Promise<void> {
    await eventually(
      async () => (await this.topology.endpoint.tryRun(['ip', 'link', 'show', device])).code === (isPresent ? 0 : 1),
      { what: `${device} ${isPresent ? 'present' : 'absent'}` },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sidecar?.[Symbol.asyncDispose]();
    await Promise.all([...this.#clients.values()].map((client) => client.stop()));
    await this.server.stop();
    await this.topology[Symbol.asyncDispose]();
    await this.pki[Symbol.asyncDispose]();
  }
}
