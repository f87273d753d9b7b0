import { rememberConnections } from './conntrack-timeouts.js';
import { connect, Namespace, reapNamespaces } from './namespace.js';
import type { AddressPair } from './topology.js';

/*
 * Two sites that a VPN joins (every box a network namespace; each endpoint has ONE address of each family, and no
 * route):
 *
 *   hostA 198.51.100.2/25 --- rA 192.0.2.1 ---+ | +--- rB 192.0.2.129 --- hostB 198.51.100.130/25 2001:db8:a::2/64
 *   02:..:0a:01 | | | 02:..:0b:01 2001:db8:b::2/64
 *                                             |              |              |
 *                       uA 192.0.2.126 -------+              |              +--- uB 192.0.2.254
 *                          02:..:0a:fe        |    203.0.113.0/30, between  |    02:..:0b:fe
 *                                             |    uA (.1) and uB (.2)      |
 *             endpointA 192.0.2.10 -----------+                             +--- endpointB 192.0.2.138
 *             OpenVPN server, 02:..:0a:10                                        OpenVPN client, 02:..:0b:10
 *
 *   IPv6 on the segments: 2001:db8:a0::/64 and 2001:db8:b0::/64, with the last part as in IPv4's MAC (::1, ::fe,
 *   ::10). Nobody but the endpoints' tunnels leads from one host's network to the other's: uA and uB know each other's
 *   segments only.
 *
 *   one-arm: each segment is a switch, and r sends the other site's networks to the endpoint.
 *   inline: the endpoint is a bridge br0 between r (port p1) and u (port p2), and no route of any box mentions the
 *   other site.
 */

export type SiteName = 'A' | 'B';
export type Shape = 'one-arm' | 'inline';
type Role = 'host' | 'r' | 'u' | 'endpoint' | 'switch';

interface SitePlan {
  readonly host: AddressPair;
  readonly hostRouter: AddressPair;
  readonly hosts: AddressPair;
  readonly segment: AddressPair;
  readonly r: AddressPair;
  readonly u: AddressPair;
  readonly endpoint: AddressPair;
  readonly between: AddressPair;
  readonly mac: Readonly<Record<'r' | 'u' | 'endpoint', string>>;
}

/** Addresses of both sites. */
export const SITES: Readonly<Record<SiteName, SitePlan>> = {
  A: {
    host: { v4: '198.51.100.2', v6: '2001:db8:a::2' },
    hostRouter: { v4: '198.51.100.1', v6: '2001:db8:a::1' },
    hosts: { v4: '198.51.100.0/25', v6: '2001:db8:a::/64' },
    segment: { v4: '192.0.2.0/25', v6: '2001:db8:a0::/64' },
    r: { v4: '192.0.2.1', v6: '2001:db8:a0::1' },
    u: { v4: '192.0.2.126', v6: '2001:db8:a0::fe' },
    endpoint: { v4: '192.0.2.10', v6: '2001:db8:a0::10' },
    between: { v4: '203.0.113.1', v6: '2001:db8:ff::1' },
    mac: { r: '02:00:00:00:0a:01', u: '02:00:00:00:0a:fe', endpoint: '02:00:00:00:0a:10' },
  },
  B: {
    host: { v4: '198.51.100.130', v6: '2001:db8:b::2' },
    hostRouter: { v4: '198.51.100.129', v6: '2001:db8:b::1' },
    hosts: { v4: '198.51.100.128/25', v6: '2001:db8:b::/64' },
    segment: { v4: '192.0.2.128/25', v6: '2001:db8:b0::/64' },
    r: { v4: '192.0.2.129', v6: '2001:db8:b0::1' },
    u: { v4: '192.0.2.254', v6: '2001:db8:b0::fe' },
    endpoint: { v4: '192.0.2.138', v6: '2001:db8:b0::10' },
    between: { v4: '203.0.113.2', v6: '2001:db8:ff::2' },
    mac: { r: '02:00:00:00:0b:01', u: '02:00:00:00:0b:fe', endpoint: '02:00:00:00:0b:10' },
  },
};

const OTHER = { A: 'B', B: 'A' } as const;
/** Where the VPN's own addresses are: routers of a one-arm site send them to their endpoint, too. */
export const VPN: AddressPair = { v4: '10.8.0.0/24', v6: 'fd00:8::/64' };

/** The boxes of one site. */
export type SiteBoxes = Readonly<Record<Role, Namespace>>;

/** The topology of the drawing above. Disposal removes every namespace of it. */
export class TwoSites implements AsyncDisposable {
  readonly shape: Shape;
  readonly sites: Readonly<Record<SiteName, SiteBoxes>>;

  private constructor(shape: Shape, sites: Record<SiteName, SiteBoxes>) {
    this.shape = shape;
    this.sites = sites;
  }

  /** Builds the topology, after removing what killed runs left behind. */
  static async create(shape: Shape): Promise<TwoSites> {
    await reapNamespaces();
    const [a, b] = await Promise.all([createBoxes('A'), createBoxes('B')]);
    const topology = new TwoSites(shape, { A: a, B: b });
    try {
      await Promise.all([a, b].map(async ({ endpoint }) => await rememberConnections(endpoint)));
      await Promise.all([topology.#wire('A'), topology.#wire('B')]);
      await connect({ namespace: a.u, device: 'wan0' }, { namespace: b.u, device: 'wan0' });
      await Promise.all([topology.#route('A'), topology.#route('B')]);
      return topology;
    } catch (error) {
      await topology[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The endpoint's Ethernet device. */
  get device(): 'lan0' | 'br0' {
    return this.shape === 'inline' ? 'br0' : 'lan0';
  }

  /** Where the cable of a router can be watched without the router: namespace and device. */
  cable(site: SiteName, to: 'r' | 'u' | 'endpoint'): { namespace: Namespace; device: string } {
    if (this.shape === 'one-arm') return { namespace: this.sites[site].switch, device: `to-${to}` };
    return { namespace: this.sites[site].endpoint, device: to === 'r' ? 'p1' : to === 'u' ? 'p2' : 'br0' };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      [...Object.values(this.sites.A), ...Object.values(this.sites.B)].map((box) => box[Symbol.asyncDispose]()),
    );
  }

  async #wire(site: SiteName): Promise<void> {
    const { host, r, u, endpoint, switch: hub } = this.sites[site];
    const { mac } = SITES[site];
    await connect({ namespace: r, device: 'lan1' }, { namespace: host, device: 'eth0' });
    const bridge = 'type bridge mcast_snooping 0 stp_state 0 forward_delay 0';
    if (this.shape === 'inline') {
      await endpoint.ip(`link add br0 address ${mac.endpoint} ${bridge}`);
      await connect({ namespace: r, device: 'lan0', mac: mac.r }, { namespace: endpoint, device: 'p1' });
      await connect({ namespace: u, device: 'lan0', mac: mac.u }, { namespace: endpoint, device: 'p2' });
      await endpoint.ip('link set p1 master br0', 'link set p2 master br0');
      return;
    }
    await hub.ip(`link add br0 ${bridge}`, 'link set br0 up');
    for (const [name, box] of Object.entries({ r, u, endpoint })) {
      await connect(
        { namespace: box, device: 'lan0', mac: mac[name as keyof typeof mac] },
        { namespace: hub, device: `to-${name}` },
      );
      await hub.ip(`link set to-${name} master br0`);
    }
  }

  async #route(site: SiteName): Promise<void> {
    const { host, r, u, endpoint } = this.sites[site];
    const plan = SITES[site];
    const other = SITES[OTHER[site]];
    const toVpn =
      this.shape === 'inline' ? [] : [...routes(other.hosts, plan.endpoint), ...routes(VPN, plan.endpoint)];
    await Promise.all([
      endpoint.ip(...address(this.device, plan.endpoint, 25)),
      host.ip(...address('eth0', plan.host, 25), ...routes(DEFAULT, plan.hostRouter)),
      r.ip(
        ...address('lan0', plan.r, 25),
        ...address('lan1', plan.hostRouter, 25),
        ...routes(DEFAULT, plan.u),
        ...toVpn,
      ),
      u.ip(
        ...address('lan0', plan.u, 25),
        ...address('wan0', plan.between, 30),
        ...routes(plan.hosts, plan.r),
        ...routes(other.segment, other.between),
      ),
    ]);
  }
}

const DEFAULT: AddressPair = { v4: 'default', v6: 'default' };

async function createBoxes(site: SiteName): Promise<SiteBoxes> {
  const make = (role: Role, forwarding = false): Promise<Namespace> =>
    Namespace.create(`${role}${site}`, { forwarding });
  const [host, r, u, endpoint, hub] = await Promise.all([
    make('host'),
    make('r', true),
    make('u', true),
    make('endpoint'),
    make('switch'),
  ]);
  return { host, r, u, endpoint, switch: hub };
}

function address(device: string, { v4, v6 }: AddressPair, length4: number): string[] {
  return [`address add ${v4}/${length4} dev ${device}`, `address add ${v6}/64 dev ${device}`, `link set ${device} up`];
}

function routes(network: AddressPair, router: AddressPair): string[] {
  return [`route add ${network.v4} via ${router.v4}`, `route add ${network.v6} via ${router.v6}`];
}
