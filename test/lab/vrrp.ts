import { Keepalived } from './keepalived.js';
import { connect, Namespace } from './namespace.js';
import type { AddressPair, OneArm } from './topology.js';

/*
 * A router of the one-arm topology becomes a VRRP pair of real keepalived processes:
 *
 *            +-- <router>  (lan0, inner) --+            own addresses .11 and .12, the virtual ones are those
 *   switch --+                             +-- inside   that the router had, so nobody else changes a route
 *            +-- <router>b (lan0, inner) --+            (the inside host's cable becomes a bridge with two ports)
 *
 * IPv4 and IPv6 instances on both sides move together. Without virtual MACs, the addresses are at another MAC after a
 * failover, announced by gratuitous ARP and unsolicited neighbour advertisements, as keepalived does by default. With
 * them (`use_vmac`), ARP and neighbour discovery answer the group's MAC, and forwarded frames have the router's own.
 */

/** Which router can be doubled. */
export type PairedRouter = 'r1' | 'u';

interface Side {
  /** Its device toward the inside. */
  readonly inner: string;
  readonly inside: 'hostA' | 'client1';
  /** Virtual addresses, with prefix length. */
  readonly outerVirtual: AddressPair;
  readonly innerVirtual: AddressPair;
  /** Own addresses of the first and of the second router, without the last digit. */
  readonly outerOwn: AddressPair;
  readonly innerOwn: AddressPair;
  /** MAC of the second router on the segment. */
  readonly backupMac: string;
  readonly virtualRouterId: number;
}

const SIDES: Readonly<Record<PairedRouter, Side>> = {
  r1: {
    inner: 'lan1',
    inside: 'hostA',
    outerVirtual: { v4: '192.0.2.1/24', v6: '2001:db8::1/64' },
    innerVirtual: { v4: '198.51.100.1/25', v6: '2001:db8:a::1/64' },
    outerOwn: { v4: '192.0.2.2', v6: '2001:db8::2' },
    innerOwn: { v4: '198.51.100.1', v6: '2001:db8:a::1' },
    backupMac: '02:00:00:00:01:02',
    virtualRouterId: 51,
  },
  u: {
    inner: 'wan1',
    inside: 'client1',
    outerVirtual: { v4: '192.0.2.254/24', v6: '2001:db8::fe/64' },
    innerVirtual: { v4: '203.0.113.1/25', v6: '2001:db8:c1::1/64' },
    outerOwn: { v4: '192.0.2.24', v6: '2001:db8::fe' },
    innerOwn: { v4: '203.0.113.1', v6: '2001:db8:c1::1' },
    backupMac: '02:00:00:00:fe:02',
    virtualRouterId: 52,
  },
};

/**
 * Adverts are this far apart; a silent master is replaced after a little more than three times as long. No less: a
 * machine that does much else would lose its master.
 */
const ADVERT_SECONDS = 1;

/** How the pair is set up. */
export interface VrrpOptions {
  /** The groups have MAC addresses of their own. */
  readonly hasVirtualMac?: boolean;
  /** A master announces its addresses every second. */
  readonly repeatsClaims?: boolean;
}

/** The two routers of a pair. Disposal stops keepalived; the topology owns the first router, the pair the second. */
export class VrrpPair implements AsyncDisposable {
  readonly backupMac: string;
  /** Of the groups with virtual MACs (RFC 5798, 7.3). */
  readonly groupMac: AddressPair;
  readonly #primary: Namespace;
  readonly #backup: Namespace;
  readonly #side: Side;
  /** Of the first router and of the second. */
  readonly #daemons: Keepalived[] = [];

  private constructor(primary: Namespace, backup: Namespace, side: Side) {
    this.#primary = primary;
    this.#backup = backup;
    this.#side = side;
    this.backupMac = side.backupMac;
    const id = side.virtualRouterId.toString(16).padStart(2, '0');
    this.groupMac = { v4: `00:00:5e:00:01:${id}`, v6: `00:00:5e:00:02:${id}` };
  }

  /**
   * Doubles `router` and resolves when the first one is master on both sides.
   *
   * @param directory where keepalived's configuration is written
   */
  static async create(
    topology: OneArm,
    router: PairedRouter,
    directory: string,
    options: VrrpOptions = {},
  ): Promise<VrrpPair> {
    const primary = topology[router];
    const backup = await Namespace.create(`${router}b`, { forwarding: true });
    const pair = new VrrpPair(primary, backup, SIDES[router]);
    try {
      await pair.#cable(topology, router);
      // Else the device of the IPv6 group answers ARP for the address of the other group, too.
      if (options.hasVirtualMac === true)
        await Promise.all([primary, backup].map((each) => each.sysctl('net.ipv4.conf.all.arp_ignore=1')));
      const [first, second] = await Promise.all([
        Keepalived.start(primary, configuration(pair.#side, 150, options), directory),
        Keepalived.start(backup, configuration(pair.#side, 100, options), directory),
      ]);
      pair.#daemons.push(first, second);
      await first.holds(pair.#virtual);
      return pair;
    } catch (error) {
      await pair[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Unplugs the master on both sides, as if it had lost power, and resolves when the other one has the virtual
   * addresses.
   */
  async failOver(): Promise<void> {
    await this.#primary.ip('link set lan0 down', `link set ${this.#side.inner} down`);
    await this.#daemons[1]?.holds(this.#virtual);
  }

  /** Neither hears the other any more: resolves when both are masters. */
  async split(): Promise<void> {
    for (const router of [this.#primary, this.#backup])
      await router.run(['nft', '-f', '-'], {
        input: `table inet split {
          chain input {
            type filter hook input priority filter
            meta l4proto 112 drop
          }
        }`,
      });
    for (const daemon of this.#daemons) await daemon.holds(this.#virtual);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#daemons.map((daemon) => daemon[Symbol.asyncDispose]()));
    await this.#backup[Symbol.asyncDispose]();
  }

  get #virtual(): readonly string[] {
    return [this.#side.outerVirtual, this.#side.innerVirtual].flatMap(({ v4, v6 }) => [v4, v6]);
  }

  async #cable(topology: OneArm, router: PairedRouter): Promise<void> {
    const { inner, inside: insideName, outerOwn, innerOwn, outerVirtual, innerVirtual, backupMac } = this.#side;
    const inside = topology[insideName];
    await connect(
      { namespace: this.#backup, device: 'lan0', mac: backupMac },
      { namespace: topology.switch, device: `to-${router}b` },
    );
    await connect({ namespace: this.#backup, device: inner }, { namespace: inside, device: 'eth1' });
    await topology.switch.ip(`link set to-${router}b master br0`);
    await bridgeInside(inside);
    const addresses = (digit: number): string[] => [
      `address add ${outerOwn.v4}${digit}/24 dev lan0`,
      `address add ${outerOwn.v6}:${digit}/64 dev lan0`,
      `address add ${innerOwn.v4}${digit}/25 dev ${inner}`,
      `address add ${innerOwn.v6}:${digit}/64 dev ${inner}`,
    ];
    await this.#primary.sysctl('net.ipv4.conf.all.promote_secondaries=1');
    await this.#primary.ip(
      ...addresses(1),
      `address del ${outerVirtual.v4} dev lan0`,
      `address del ${outerVirtual.v6} dev lan0`,
      `address del ${innerVirtual.v4} dev ${inner}`,
      `address del ${innerVirtual.v6} dev ${inner}`,
    );
    await this.#backup.ip(...addresses(2));
    // Everything that the first router reaches through the segment, the second one reaches likewise.
    for (const family of ['-4', '-6']) {
      const routes = (await this.#primary.run(['ip', family, 'route', 'show']))
        .split('\n')
        .filter((line) => line.includes(' via ') && line.includes('dev lan0'));
      for (const route of routes)
        await this.#backup.run([
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

function configuration(side: Side, priority: number, options: VrrpOptions): string {
  const instances = (['outer', 'inner'] as const).flatMap((place) =>
    (['v4', 'v6'] as const).map((family) => ({ place, family, name: `${place}_${family}` })),
  );
  const blocks = instances.map(({ place, family, name }) => {
    const virtual = (place === 'outer' ? side.outerVirtual : side.innerVirtual)[family];
    // An IPv6 instance must announce a link-local address first (RFC 5798, section 5.2.9).
    const linkLocal = family === 'v6' ? `fe80::5e:${side.virtualRouterId}/64\n    ` : '';
    return `vrrp_instance ${name} {
  state BACKUP
  interface ${place === 'outer' ? 'lan0' : side.inner}
  virtual_router_id ${side.virtualRouterId}
  priority ${priority}
  advert_int ${ADVERT_SECONDS}
  ${options.hasVirtualMac === true ? 'use_vmac' : ''}
  ${options.repeatsClaims === true ? 'garp_master_refresh 1' : ''}
  virtual_ipaddress {
    ${linkLocal}${virtual}
  }
}`;
  });
  return `global_defs {
  vrrp_version 3
}
vrrp_sync_group both_sides {
  group {
    ${instances.map(({ name }) => name).join('\n    ')}
  }
}
${blocks.join('\n')}
`;
}
