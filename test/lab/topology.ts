import { rememberConnections } from './conntrack-timeouts.js';
import { type CableEnd, connect, Namespace, reapNamespaces } from './namespace.js';

/*
 * One-arm (every box a network namespace; the endpoint has ONE cable, one address of each family, and no route):
 *
 *   hostA 198.51.100.2/25 ---- r1 192.0.2.1 ---+
 *   2001:db8:a::2/64           02:..:01:01     |
 *                                              |            endpoint  lan0 192.0.2.10/24, 2001:db8::10/64
 *   hostB 198.51.100.130/25 -- r2 192.0.2.2 ---+-- switch --          02:..:00:10
 *   2001:db8:b::2/64           02:..:02:01     |            OpenVPN   tun0 10.8.0.1/24, fd00:8::1/64
 *                                              |
 *   local 192.0.2.50, on the segment itself ---+            u has routes to the hosts (via r1, r2) and to the clients;
 *         2001:db8::50, 02:..:00:50            |            r1 and r2 default to u; r1, r2 and u send the VPN networks
 *                                              |            (10.8.0.0/24, fd00:8::/64) and the client's subnet
 *   client1 203.0.113.2/25 --+ | (192.168.77.0/24, fd00:77::/64) to 192.0.2.10, 2001:db8::10 2001:db8:c1::2/64 +- u
 *   192.0.2.254+ client2 203.0.113.130/25 --+ 02:..:fe:01 2001:db8:c2::2/64
 *
 *   site 192.168.77.2/24, fd00:77::2/64 is a host in the subnet behind client1 (client1 is 192.168.77.1 there).
 *   The switch's port toward X is named "to-X"; capturing on "to-endpoint" sees the cable of the endpoint.
 *
 * With two legs the endpoint has a second cable of its own to u, and clients are told the address on that one:
 *
 *   endpoint wan0 198.18.0.10/24, 2001:db8:f::10/64, 02:..:0f:10 ---- leg0 198.18.0.254, 2001:db8:f::fe, 02:..:0f:fe u
 */

/** A pair of addresses of one machine. */
export interface AddressPair {
  readonly v4: string;
  readonly v6: string;
}

/** Link-layer addresses on the segment. */
export const MAC = {
  endpoint: '02:00:00:00:00:10',
  local: '02:00:00:00:00:50',
  r1: '02:00:00:00:01:01',
  r2: '02:00:00:00:02:01',
  u: '02:00:00:00:fe:01',
} as const;

/** Addresses by machine. */
export const ADDRESS = {
  endpoint: { v4: '192.0.2.10', v6: '2001:db8::10' },
  local: { v4: '192.0.2.50', v6: '2001:db8::50' },
  r1: { v4: '192.0.2.1', v6: '2001:db8::1' },
  r2: { v4: '192.0.2.2', v6: '2001:db8::2' },
  u: { v4: '192.0.2.254', v6: '2001:db8::fe' },
  hostA: { v4: '198.51.100.2', v6: '2001:db8:a::2' },
  hostB: { v4: '198.51.100.130', v6: '2001:db8:b::2' },
  client1: { v4: '203.0.113.2', v6: '2001:db8:c1::2' },
  client2: { v4: '203.0.113.130', v6: '2001:db8:c2::2' },
  /** The host in the subnet behind client1. */
  site: { v4: '192.168.77.2', v6: 'fd00:77::2' },
} as const satisfies Record<string, AddressPair>;

/** The endpoint's second cable, for {@link OneArmOptions.hasTwoLegs}. */
export const SECOND_LEG = {
  endpoint: { device: 'wan0', mac: '02:00:00:00:0f:10', v4: '198.18.0.10', v6: '2001:db8:f::10' },
  u: { device: 'leg0', mac: '02:00:00:00:0f:fe', v4: '198.18.0.254', v6: '2001:db8:f::fe' },
} as const;

/** Networks by name: `v4` and `v6` as prefixes. */
export const NETWORK = {
  segment: { v4: '192.0.2.0/24', v6: '2001:db8::/64' },
  hostA: { v4: '198.51.100.0/25', v6: '2001:db8:a::/64' },
  hostB: { v4: '198.51.100.128/25', v6: '2001:db8:b::/64' },
  client1: { v4: '203.0.113.0/25', v6: '2001:db8:c1::/64' },
  client2: { v4: '203.0.113.128/25', v6: '2001:db8:c2::/64' },
  vpn: { v4: '10.8.0.0/24', v6: 'fd00:8::/64' },
  site: { v4: '192.168.77.0/24', v6: 'fd00:77::/64' },
} as const satisfies Record<string, AddressPair>;

/** What is routed to the endpoint by its neighbours. */
const BEHIND_ENDPOINT = [NETWORK.vpn, NETWORK.site] as const;

/** A test setting of the endpoint. */
export interface OneArmOptions {
  /** `rp_filter` of every device of the endpoint; default 0. */
  readonly rpFilter?: 0 | 1 | 2;
  /** The endpoint has LAN and WAN on different cards, see the drawing. */
  readonly hasTwoLegs?: boolean;
}

/** The one-arm topology of the drawing above. Disposal removes every namespace of it. */
export class OneArm implements AsyncDisposable {
  readonly endpoint: Namespace;
  readonly switch: Namespace;
  readonly r1: Namespace;
  readonly r2: Namespace;
  readonly u: Namespace;
  readonly hostA: Namespace;
  readonly hostB: Namespace;
  readonly client1: Namespace;
  readonly client2: Namespace;
  readonly site: Namespace;
  readonly local: Namespace;
  readonly #stack: AsyncDisposableStackLike;

  private constructor(boxes: Record<BoxName, Namespace>, stack: AsyncDisposableStackLike) {
    this.endpoint = boxes.endpoint;
    this.switch = boxes.switch;
    this.r1 = boxes.r1;
    this.r2 = boxes.r2;
    this.u = boxes.u;
    this.hostA = boxes.hostA;
    this.hostB = boxes.hostB;
    this.client1 = boxes.client1;
    this.client2 = boxes.client2;
    this.site = boxes.site;
    this.local = boxes.local;
    this.#stack = stack;
  }

  /** Builds the topology, after removing what killed runs left behind. */
  static async create(options: OneArmOptions = {}): Promise<OneArm> {
    await reapNamespaces();
    const stack = new AsyncDisposableStackLike();
    try {
      const names = Object.keys(IS_FORWARDING) as BoxName[];
      const created = await Promise.all(
        names.map(
          async (name) =>
            [name, stack.use(await Namespace.create(name, { forwarding: IS_FORWARDING[name] }))] as const,
        ),
      );
      // Every key of BoxName is in `names`.
      const topology = new OneArm(Object.fromEntries(created) as Record<BoxName, Namespace>, stack);
      await topology.#wire(options);
      return topology;
    } catch (error) {
      await stack.disposeAll();
      throw error;
    }
  }

  /** Gives a router or the upstream router another link-layer address, announced or not, as a failover would. */
  async changeMac(router: 'r1' | 'r2' | 'u', mac: string): Promise<void> {
    await this[router].ip(`link set lan0 address ${mac}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAll();
  }

  async #wire(options: OneArmOptions): Promise<void> {
    await this.switch.ip('link add br0 type bridge mcast_snooping 0 stp_state 0 forward_delay 0', 'link set br0 up');
    await Promise.all([
      this.#plug('endpoint'),
      this.#plug('r1'),
      this.#plug('r2'),
      this.#plug('u'),
      this.#plug('local'),
      connect({ namespace: this.r1, device: 'lan1' }, { namespace: this.hostA, device: 'eth0' }),
      connect({ namespace: this.r2, device: 'lan1' }, { namespace: this.hostB, device: 'eth0' }),
      connect({ namespace: this.u, device: 'wan1' }, { namespace: this.client1, device: 'eth0' }),
      connect({ namespace: this.u, device: 'wan2' }, { namespace: this.client2, device: 'eth0' }),
      connect({ namespace: this.client1, device: 'site0' }, { namespace: this.site, device: 'eth0' }),
    ]);
    if (options.hasTwoLegs === true) await this.#plugSecondLeg();
    const toVpn = BEHIND_ENDPOINT.flatMap((network) => [
      `route add ${network.v4} via ${ADDRESS.endpoint.v4}`,
      `route add ${network.v6} via ${ADDRESS.endpoint.v6}`,
    ]);
    await Promise.all([
      this.r1.ip(...address('lan1', '198.51.100.1/25', '2001:db8:a::1/64'), ...defaultVia(ADDRESS.u), ...toVpn),
      this.r2.ip(...address('lan1', '198.51.100.129/25', '2001:db8:b::1/64'), ...defaultVia(ADDRESS.u), ...toVpn),
      this.u.ip(
        ...address('wan1', '203.0.113.1/25', '2001:db8:c1::1/64'),
        ...address('wan2', '203.0.113.129/25', '2001:db8:c2::1/64'),
        ...routesVia(NETWORK.hostA, ADDRESS.r1),
        ...routesVia(NETWORK.hostB, ADDRESS.r2),
        ...toVpn,
      ),
      this.local.ip(...defaultVia(ADDRESS.u)),
      this.hostA.ip(
        ...address('eth0', `${ADDRESS.hostA.v4}/25`, `${ADDRESS.hostA.v6}/64`),
        ...defaultVia({ v4: '198.51.100.1', v6: '2001:db8:a::1' }),
      ),
      this.hostB.ip(
        ...address('eth0', `${ADDRESS.hostB.v4}/25`, `${ADDRESS.hostB.v6}/64`),
        ...defaultVia({ v4: '198.51.100.129', v6: '2001:db8:b::1' }),
      ),
      this.client1.ip(
        ...address('eth0', `${ADDRESS.client1.v4}/25`, `${ADDRESS.client1.v6}/64`),
        ...defaultVia({ v4: '203.0.113.1', v6: '2001:db8:c1::1' }),
        ...address('site0', '192.168.77.1/24', 'fd00:77::1/64'),
      ),
      this.site.ip(
        ...address('eth0', `${ADDRESS.site.v4}/24`, `${ADDRESS.site.v6}/64`),
        ...defaultVia({ v4: '192.168.77.1', v6: 'fd00:77::1' }),
      ),
      this.client2.ip(
        ...address('eth0', `${ADDRESS.client2.v4}/25`, `${ADDRESS.client2.v6}/64`),
        ...defaultVia({ v4: '203.0.113.129', v6: '2001:db8:c2::1' }),
      ),
      rememberConnections(this.endpoint),
      this.endpoint.sysctl(
        ...['all', 'default', 'lan0', ...(options.hasTwoLegs === true ? [SECOND_LEG.endpoint.device] : [])].map(
          (device) => `net.ipv4.conf.${device}.rp_filter=${options.rpFilter ?? 0}`,
        ),
      ),
    ]);
  }

  async #plugSecondLeg(): Promise<void> {
    const ends = [
      ['endpoint', SECOND_LEG.endpoint],
      ['u', SECOND_LEG.u],
    ] as const;
    const [endpoint, u] = ends.map(([name, { device, mac }]) => ({ namespace: this[name], device, mac })) as [
      CableEnd,
      CableEnd,
    ];
    await connect(endpoint, u);
    await Promise.all(
      ends.map(([name, { device, v4, v6 }]) => this[name].ip(...address(device, `${v4}/24`, `${v6}/64`))),
    );
  }

  /** Plugs a box into the switch with its address and link-layer address on the segment. */
  async #plug(name: keyof typeof MAC): Promise<void> {
    await connect(
      { namespace: this[name], device: 'lan0', mac: MAC[name] },
      { namespace: this.switch, device: `to-${name}` },
    );
    await this.switch.ip(`link set to-${name} master br0`);
    await this[name].ip(...address('lan0', `${ADDRESS[name].v4}/24`, `${ADDRESS[name].v6}/64`));
  }
}

type BoxName =
  | 'endpoint'
  | 'switch'
  | 'r1'
  | 'r2'
  | 'u'
  | 'hostA'
  | 'hostB'
  | 'client1'
  | 'client2'
  | 'site'
  | 'local';

const IS_FORWARDING: Readonly<Record<BoxName, boolean>> = {
  endpoint: true,
  switch: false,
  r1: true,
  r2: true,
  u: true,
  hostA: false,
  hostB: false,
  client1: true,
  client2: false,
  site: false,
  local: false,
};

/** The part of AsyncDisposableStack that is needed; Node 20 has no global of that name. */
export class AsyncDisposableStackLike {
  readonly #resources: AsyncDisposable[] = [];

  use<T extends AsyncDisposable>(resource: T): T {
    this.#resources.push(resource);
    return resource;
  }

  async disposeAll(): Promise<void> {
    await Promise.all(this.#resources.splice(0).map((resource) => resource[Symbol.asyncDispose]()));
  }
}

/** Lines of `ip` that give a device its addresses and bring it up. */
export function address(device: string, v4: string, v6: string): string[] {
  return [`address add ${v4} dev ${device}`, `address add ${v6} dev ${device}`, `link set ${device} up`];
}

/** Lines of `ip` for the default routes through a router. */
export function defaultVia(router: AddressPair): string[] {
  return [`route add default via ${router.v4}`, `route add default via ${router.v6}`];
}

/** Lines of `ip` for the routes to a network through a router. */
export function routesVia(network: AddressPair, router: AddressPair): string[] {
  return [`route add ${network.v4} via ${router.v4}`, `route add ${network.v6} via ${router.v6}`];
}
