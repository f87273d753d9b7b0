import { connect, Namespace } from './namespace.js';
import type { AddressPair, OneArm } from './topology.js';

/*
 * A router of the one-arm topology gets a second one beside it:
 *
 *            +-- <router>  (lan0, inner) --+            own addresses .11 and .12; the shared ones are those that the
 *   switch --+                             +-- inside   router had, so nobody else changes a route, and nobody has
 *            +-- <router>b (lan0, inner) --+            them yet (the inside's cable becomes a bridge with two ports)
 */

/** Which router can be doubled. */
export type PairedRouter = 'r1' | 'u';

/** Where a pair is. */
export interface PairSide {
  /** Its device toward the inside. */
  readonly inner: string;
  readonly inside: 'hostA' | 'client1';
  /** Addresses that the two share, with prefix length. */
  readonly outerShared: AddressPair;
  readonly innerShared: AddressPair;
  /** Own addresses of the first and of the second router, without the last digit. */
  readonly outerOwn: AddressPair;
  readonly innerOwn: AddressPair;
  /** MAC of the second router on the segment. */
  readonly secondMac: string;
  readonly virtualRouterId: number;
}

const SIDES: Readonly<Record<PairedRouter, PairSide>> = {
  r1: {
    inner: 'lan1',
    inside: 'hostA',
    outerShared: { v4: '192.0.2.1/24', v6: '2001:db8::1/64' },
    innerShared: { v4: '198.51.100.1/25', v6: '2001:db8:a::1/64' },
    outerOwn: { v4: '192.0.2.2', v6: '2001:db8::2' },
    innerOwn: { v4: '198.51.100.1', v6: '2001:db8:a::1' },
    secondMac: '02:00:00:00:01:02',
    virtualRouterId: 51,
  },
  u: {
    inner: 'wan1',
    inside: 'client1',
    outerShared: { v4: '192.0.2.254/24', v6: '2001:db8::fe/64' },
    innerShared: { v4: '203.0.113.1/25', v6: '2001:db8:c1::1/64' },
    outerOwn: { v4: '192.0.2.24', v6: '2001:db8::fe' },
    innerOwn: { v4: '203.0.113.1', v6: '2001:db8:c1::1' },
    secondMac: '02:00:00:00:fe:02',
    virtualRouterId: 52,
  },
};

/** Two routers in one place. The topology owns the first, and this the second: disposal ends it. */
export class RouterPair implements AsyncDisposable {
  readonly first: Namespace;
  readonly second: Namespace;
  readonly side: PairSide;
  readonly #topology: OneArm;
  readonly #router: PairedRouter;

  private constructor(topology: OneArm, router: PairedRouter, second: Namespace) {
    this.#topology = topology;
    this.#router = router;
    this.first = topology[router];
    this.second = second;
    this.side = SIDES[router];
  }

  /**
   * Puts a second router beside `router`.
   *
   * @param secondMac its MAC address on the segment; default one of its own
   */
  static async create(topology: OneArm, router: PairedRouter, secondMac?: string): Promise<RouterPair> {
    const second = await Namespace.create(`${router}b`, { forwarding: true });
    const pair = new RouterPair(topology, router, second);
    try {
      await pair.#cable(secondMac ?? pair.side.secondMac);
      return pair;
    } catch (error) {
      await pair[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The shared addresses, with prefix length: outside, then inside. */
  get shared(): readonly string[] {
    return [this.side.outerShared, this.side.innerShared].flatMap(({ v4, v6 }) => [v4, v6]);
  }

  /** Pulls the cables of one out of what it is connected to. It keeps what is configured. */
  async unplug(which: 'first' | 'second'): Promise<void> {
    const [port, cable] = which === 'first' ? [`to-${this.#router}`, 'eth0'] : [`to-${this.#router}b`, 'eth1'];
    await this.#topology.switch.ip(`link set ${port} down`);
    await this.#topology[this.side.inside].ip(`link set ${cable} down`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.second[Symbol.asyncDispose]();
  }

  async #cable(secondMac: string): Promise<void> {
    const [topology, router] = [this.#topology, this.#router];
    const { inner, inside: insideName, outerOwn, innerOwn, outerShared, innerShared } = this.side;
    const inside = topology[insideName];
    await connect(
      { namespace: this.second, device: 'lan0', mac: secondMac },
      { namespace: topology.switch, device: `to-${router}b` },
    );
    await connect({ namespace: this.second, device: inner }, { namespace: inside, device: 'eth1' });
    await topology.switch.ip(`link set to-${router}b master br0`);
    await bridgeInside(inside);
    const addresses = (digit: number): string[] => [
      `address add ${outerOwn.v4}${digit}/24 dev lan0`,
      `address add ${outerOwn.v6}:${digit}/64 dev lan0`,
      `address add ${innerOwn.v4}${digit}/25 dev ${inner}`,
      `address add ${innerOwn.v6}:${digit}/64 dev ${inner}`,
    ];
    await this.first.sysctl('net.ipv4.conf.all.promote_secondaries=1');
    await this.first.ip(
      ...addresses(1),
      `address del ${outerShared.v4} dev lan0`,
      `address del ${outerShared.v6} dev lan0`,
      `address del ${innerShared.v4} dev ${inner}`,
      `address del ${innerShared.v6} dev ${inner}`,
    );
    await this.second.ip(...addresses(2));
    // Everything that the first router reaches through the segment, the second one reaches likewise.
    for (const family of ['-4', '-6']) {
      const routes = (await this.first.run(['ip', family, 'route', 'show']))
        .split('\n')
        .filter((line) => line.includes(' via ') && line.includes('dev lan0'));
      for (const route of routes)
        await this.second.run([
          'ip',
          family,
          'route',
          'add',
          ...route
            .replace(/ dev lan0.*/, '')
            .trim()
            .split(/\s+/),
        ]);
    }
  }
}

/** Replaces eth0 of the inside by a bridge of eth0 and eth1 that takes over its addresses and default routes. */
async function bridgeInside(inside: Namespace): Promise<void> {
  const listing = await inside.run(['ip', '-o', 'address', 'show', 'dev', 'eth0', 'scope', 'global']);
  const addresses = [...listing.matchAll(/inet6? (\S+)/g)].map((match) => match[1] ?? '');
  const defaults = await Promise.all(
    ['-4', '-6'].map(async (family) => await inside.run(['ip', family, 'route', 'show', 'default'])),
  );
  const routers = defaults.map((text) => /via (\S+)/.exec(text)?.[1]).filter((router) => router !== undefined);
  await inside.ip(
    'link add lan type bridge mcast_snooping 0 stp_state 0 forward_delay 0',
    'address flush dev eth0',
    'link set eth0 master lan',
    'link set eth1 master lan',
    'link set lan up',
    ...addresses.map((address) => `address add ${address} dev lan`),
    ...routers.map((router) => `route replace default via ${router}`),
  );
}
