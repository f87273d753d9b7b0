import { connect, Namespace, reapNamespaces } from './namespace.js';
import {
  ADDRESS,
  type AddressPair,
  address,
  AsyncDisposableStackLike,
  defaultVia,
  MAC,
  NETWORK,
  routesVia,
} from './topology.js';

/*
 * Inline, the "network cable" (every box a network namespace). The endpoint is a bridge between a site and its router;
 * it has ONE address of each family and no route. NO route of any box mentions the VPN: not host's, r2's, r1's,
 * away's, nor one on the bridge.
 *
 *   host 198.51.100.2/25 -- r2 192.0.2.2 -- [ p1   br0   p2 ] -- r1 192.0.2.1 ---+-- client1 203.0.113.2/26
 *   2001:db8:a::2/64        02:..:02:01      192.0.2.10          02:..:01:01     |   2001:db8:c1::2/64
 *                           2001:db8::2 2001:db8::10 2001:db8::1 | site 192.168.77.2/24, fd00:77::2/64 is behind it
 *                                            02:..:00:10                         +-- client2 203.0.113.130/26
 *                                            OpenVPN  tun0 10.8.0.1/24           |   2001:db8:c2::2/64
 *                                                     fd00:8::1/64 +-- away 198.51.100.130/25, 2001:db8:b::2/64
 *
 *   `away` has nothing to do with the VPN: what it and `host` say to each other only passes the bridge. VLAN 10 runs
 *   through the same cable, from r2's lan0.10 203.0.113.250/29 to r1's lan0.10 203.0.113.249/29, once {@link
 *   Inline.addVlan} made it.
 */

/** The boxes of the drawing. */
export type InlineBox = 'host' | 'r2' | 'endpoint' | 'r1' | 'client1' | 'client2' | 'site' | 'away';

const IS_FORWARDING: Readonly<Record<InlineBox, boolean>> = {
  host: false,
  r2: true,
  endpoint: false,
  r1: true,
  client1: true,
  client2: false,
  site: false,
  away: false,
};

/** Addresses on VLAN 10. */
export const VLAN_ADDRESS = {
  r1: { v4: '203.0.113.249', v6: '2001:db8:10::1' },
  r2: { v4: '203.0.113.250', v6: '2001:db8:10::2' },
} as const satisfies Record<string, AddressPair>;

/** The inline topology of the drawing above. Disposal removes every namespace of it. */
export class Inline implements AsyncDisposable {
  readonly boxes: Readonly<Record<InlineBox, Namespace>>;
  readonly #stack: AsyncDisposableStackLike;

  private constructor(boxes: Record<InlineBox, Namespace>, stack: AsyncDisposableStackLike) {
    this.boxes = boxes;
    this.#stack = stack;
  }

  /**
   * Builds the topology, after removing what killed runs left behind. The endpoint does not forward: whoever needs
   * that turns it on.
   */
  static async create(): Promise<Inline> {
    await reapNamespaces();
    const stack = new AsyncDisposableStackLike();
    try {
      const names = Object.keys(IS_FORWARDING) as InlineBox[];
      const created = await Promise.all(
        names.map(
          async (name) =>
            [name, stack.use(await Namespace.create(name, { forwarding: IS_FORWARDING[name] }))] as const,
        ),
      );
      // Every key of InlineBox is in `names`.
      const topology = new Inline(Object.fromEntries(created) as Record<InlineBox, Namespace>, stack);
      await topology.#wire();
      return topology;
    } catch (error) {
      await stack.disposeAll();
      throw error;
    }
  }

  /** Every route of every table and family in a box but the local ones, one a line. */
  async routes(box: InlineBox): Promise<string> {
    const [v4, v6] = await Promise.all(
      ['-4', '-6'].map(async (family) => await this.boxes[box].run(['ip', family, 'route', 'show', 'table', 'all'])),
    );
    return `${v4}${v6}`
      .split('\n')
      .filter((line) => line !== '' && !/^(local|broadcast|anycast|multicast|ff00)/.test(line))
      .map((line) => line.trim())
      .join('\n');
  }

  /** Gives r1 and r2 a VLAN 10 across the bridge. */
  async addVlan(): Promise<void> {
    await Promise.all(
      (['r1', 'r2'] as const).map(async (router) => {
        await this.boxes[router].ip(
          'link add link lan0 name lan0.10 type vlan id 10',
          ...address('lan0.10', `${VLAN_ADDRESS[router].v4}/29`, `${VLAN_ADDRESS[router].v6}/64`),
        );
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAll();
  }

  async #wire(): Promise<void> {
    const { host, r2, endpoint, r1, client1, client2, site, away } = this.boxes;
    await endpoint.ip(`link add br0 address ${MAC.endpoint} type bridge mcast_snooping 0 stp_state 0 forward_delay 0`);
    await Promise.all([
      connect({ namespace: r2, device: 'lan0', mac: MAC.r2 }, { namespace: endpoint, device: 'p1' }),
      connect({ namespace: r1, device: 'lan0', mac: MAC.r1 }, { namespace: endpoint, device: 'p2' }),
      connect({ namespace: r2, device: 'host0' }, { namespace: host, device: 'eth0' }),
      connect({ namespace: r1, device: 'wan1' }, { namespace: client1, device: 'eth0' }),
      connect({ namespace: r1, device: 'wan2' }, { namespace: client2, device: 'eth0' }),
      connect({ namespace: r1, device: 'wan3' }, { namespace: away, device: 'eth0' }),
      connect({ namespace: client1, device: 'site0' }, { namespace: site, device: 'eth0' }),
    ]);
    await Promise.all([
      endpoint.ip(
        'link set p1 master br0',
        'link set p2 master br0',
        ...address('br0', `${ADDRESS.endpoint.v4}/24`, `${ADDRESS.endpoint.v6}/64`),
      ),
      r2.ip(
        ...address('lan0', `${ADDRESS.r2.v4}/24`, `${ADDRESS.r2.v6}/64`),
        ...address('host0', '198.51.100.1/25', '2001:db8:a::1/64'),
        ...defaultVia(ADDRESS.r1),
      ),
      r1.ip(
        ...address('lan0', `${ADDRESS.r1.v4}/24`, `${ADDRESS.r1.v6}/64`),
        ...address('wan1', '203.0.113.1/26', '2001:db8:c1::1/64'),
        ...address('wan2', '203.0.113.129/26', '2001:db8:c2::1/64'),
        ...address('wan3', '198.51.100.129/25', '2001:db8:b::1/64'),
        ...routesVia(NETWORK.hostA, ADDRESS.r2),
      ),
      host.ip(
        ...address('eth0', `${ADDRESS.hostA.v4}/25`, `${ADDRESS.hostA.v6}/64`),
        ...defaultVia({ v4: '198.51.100.1', v6: '2001:db8:a::1' }),
      ),
      away.ip(
        ...address('eth0', `${ADDRESS.hostB.v4}/25`, `${ADDRESS.hostB.v6}/64`),
        ...defaultVia({ v4: '198.51.100.129', v6: '2001:db8:b::1' }),
      ),
      client1.ip(
        ...address('eth0', `${ADDRESS.client1.v4}/26`, `${ADDRESS.client1.v6}/64`),
        ...defaultVia({ v4: '203.0.113.1', v6: '2001:db8:c1::1' }),
        ...address('site0', '192.168.77.1/24', 'fd00:77::1/64'),
      ),
      site.ip(
        ...address('eth0', `${ADDRESS.site.v4}/24`, `${ADDRESS.site.v6}/64`),
        ...defaultVia({ v4: '192.168.77.1', v6: 'fd00:77::1' }),
      ),
      client2.ip(
        ...address('eth0', `${ADDRESS.client2.v4}/26`, `${ADDRESS.client2.v6}/64`),
        ...defaultVia({ v4: '203.0.113.129', v6: '2001:db8:c2::1' }),
      ),
    ]);
  }
}
