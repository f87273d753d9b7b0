import { Capture } from './capture.js';
import { Inline, type InlineBox } from './inline.js';
import { OpenVpnClient, OpenVpnServer } from './openvpn.js';
import { type Identity, Pki } from './pki.js';
import { exec, tryExec } from './process.js';
import { Sidecar } from './sidecar.js';
import { ADDRESS } from './topology.js';
import type { Party } from './traffic.js';
import { clientsAt, PUSHED, TUN_MTU, TUNNEL } from './vpn-lab.js';

/** VPN clients beyond the upstream router. */
export type InlineClient = 'client1' | 'client2';
/** Everything that traffic can start or end at. */
export type InlineParty = 'host' | 'away' | 'site' | InlineClient;

/** The address of OpenVPN that each client dials: one over IPv4, the other over IPv6. */
const REMOTE = {
  client1: { family: 4, address: ADDRESS.endpoint.v4 },
  client2: { family: 6, address: ADDRESS.endpoint.v6 },
} as const;

/**
 * Makes the module whose file `LAB_MODULE` names the running kernel's. It is the whole machine's: the lab needs a
 * kernel of its own.
 */
export async function insertModule(): Promise<void> {
  const file = process.env['LAB_MODULE'];
  if (file === undefined || file === '')
    throw new Error('LAB_MODULE names no module: run this in the guest of test/vm/run');
  await exec(['insmod', file]);
}

/** Unloads the module; does nothing when it is not loaded. */
export async function removeModule(): Promise<void> {
  if ((await tryExec(['test', '-e', '/sys/module/gwmark'])).code === 0) await exec(['rmmod', 'gwmark']);
}

/**
 * The inline topology with an OpenVPN server on the bridge's one address; sidecar and clients are started by the test.
 * Disposal ends all.
 */
export class InlineLab implements AsyncDisposable {
  readonly topology: Inline;
  readonly pki: Pki;
  readonly server: OpenVpnServer;
  readonly #protocol: 'udp' | 'tcp';
  readonly #identities: Readonly<Record<InlineClient, Identity>>;
  readonly #clients = new Map<InlineClient, OpenVpnClient>();
  #sidecar: Sidecar | undefined;

  private constructor(
    topology: Inline,
    pki: Pki,
    server: OpenVpnServer,
    protocol: 'udp' | 'tcp',
    identities: Record<InlineClient, Identity>,
  ) {
    this.topology = topology;
    this.pki = pki;
    this.server = server;
    this.#protocol = protocol;
    this.#identities = identities;
  }

  /**
   * Builds everything but clients and sidecar; the server is up when this resolves. It takes clients over IPv4 and
   * IPv6.
   */
  static async create(protocol: 'udp' | 'tcp' = 'udp'): Promise<InlineLab> {
    const topology = await Inline.create();
    const pki = await Pki.create();
    try {
      const [identity, client1, client2] = await Promise.all([
        pki.issue('server', 'server'),
        pki.issue('client1', 'client'),
        pki.issue('client2', 'client'),
      ]);
      const served = clientsAt(TUNNEL);
      const server = await OpenVpnServer.start({
        namespace: topology.boxes.endpoint,
        pki,
        identity,
        transport: `${protocol}6`,
        network: '10.8.0.0 255.255.255.0',
        network6: 'fd00:8::/64',
        tunMtu: TUN_MTU,
        // A machine under emulation takes its time to answer a ping.
        keepalive: [2, 60],
        management: {},
        clients: { client1: served.client1, client2: served.client2 },
        push: PUSHED,
      });
      return new InlineLab(topology, pki, server, protocol, { client1, client2 });
    } catch (error) {
      await topology[Symbol.asyncDispose]();
      await pki[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The sidecar of {@link startSidecar}. */
  get sidecar(): Sidecar {
    if (this.#sidecar === undefined) throw new Error('the lab has no sidecar yet');
    return this.#sidecar;
  }

  /** Starts the sidecar on the endpoint and waits until it is ready. */
  async startSidecar(...flags: readonly string[]): Promise<Sidecar> {
    this.#sidecar = await Sidecar.start({
      namespace: this.topology.boxes.endpoint,
      directory: this.pki.directory,
      managementSocket: this.server.managementSocket,
      flags,
    });
    return this.#sidecar;
  }

  /** Starts a client without waiting for its connection. */
  async launchClient(name: InlineClient): Promise<OpenVpnClient> {
    const client = await OpenVpnClient.launch({
      namespace: this.topology.boxes[name],
      pki: this.pki,
      identity: this.#identities[name],
      transport: `${this.#protocol}${REMOTE[name].family}`,
      remote: REMOTE[name].address,
    });
    this.#clients.set(name, client);
    return client;
  }

  /** Starts clients and waits until they are connected and the sidecar reports them. */
  async connect(...names: readonly InlineClient[]): Promise<void> {
    await Promise.all(names.map(async (name) => await (await this.launchClient(name)).connected()));
    if (this.#sidecar !== undefined) await this.known(...names);
  }

  /** Resolves when the sidecar reports each of these clients with its addresses. */
  async known(...names: readonly InlineClient[]): Promise<void> {
    await this.sidecar.statusWhere(
      ({ clients }) =>
        names.every((name) =>
          clients.some(({ addresses }) => addresses.includes(TUNNEL[name].v4) && addresses.includes(TUNNEL[name].v6)),
        ),
      `the sidecar knows ${names.join(', ')}`,
    );
  }

  /** Ends a client, which tells the server at once. */
  async disconnect(name: InlineClient): Promise<void> {
    await this.#clients.get(name)?.stop();
  }

  /** Where a name's traffic comes from: clients have their tunnel address, all others their own. */
  party(name: InlineParty, family: 'v4' | 'v6'): Party {
    const ADDRESSES = {
      host: ADDRESS.hostA,
      away: ADDRESS.hostB,
      site: ADDRESS.site,
      client1: TUNNEL.client1,
      client2: TUNNEL.client2,
    } as const;
    return { namespace: this.topology.boxes[name], address: ADDRESSES[name][family] };
  }

  /** Records what crosses the cable between the bridge and one of the routers, at the router's end. */
  async capture(router: 'r1' | 'r2', filter = '', snapshotBytes?: number): Promise<Capture> {
    return await Capture.start(this.topology.boxes[router], 'lan0', filter, snapshotBytes);
  }

  /** One file of the module, as the endpoint sees it. */
  async moduleFile(name: 'config' | 'flows' | 'gateways' | 'stats'): Promise<string> {
    return await this.topology.boxes.endpoint.run(['cat', `/proc/net/gwmark/${name}`]);
  }

  /** The endpoint's part of the picture, for sysctls and devices of the test's own. */
  get endpoint(): (typeof this.topology.boxes)[InlineBox] {
    return this.topology.boxes.endpoint;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sidecar?.[Symbol.asyncDispose]();
    await Promise.all([...this.#clients.values()].map((client) => client.stop()));
    await this.server.stop();
    await this.topology[Symbol.asyncDispose]();
    await this.pki[Symbol.asyncDispose]();
  }
}
