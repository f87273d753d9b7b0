import { Keepalived } from './keepalived.js';
import { type PairedRouter, RouterPair, type PairSide } from './router-pair.js';
import type { AddressPair, OneArm } from './topology.js';

/*
 * A pair of routers (router-pair.ts) becomes a VRRP pair of real keepalived processes. The shared addresses are the
 * virtual ones.
 *
 * IPv4 and IPv6 instances on both sides move together. Without virtual MACs, the addresses are at another MAC after a
 * failover, announced by gratuitous ARP and unsolicited neighbour advertisements, as keepalived does by default. With
 * them (`use_vmac`), ARP and neighbour discovery answer the group's MAC, and forwarded frames have the router's own.
 */

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

/** The two routers of a pair. Disposal stops keepalived, and ends the second router. */
export class VrrpPair implements AsyncDisposable {
  readonly backupMac: string;
  /** Of the groups with virtual MACs (RFC 5798, 7.3). */
  readonly groupMac: AddressPair;
  readonly #routers: RouterPair;
  /** Of the first router and of the second. */
  readonly #daemons: Keepalived[] = [];

  private constructor(routers: RouterPair) {
    this.#routers = routers;
    this.backupMac = routers.side.secondMac;
    const id = routers.side.virtualRouterId.toString(16).padStart(2, '0');
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
    const routers = await RouterPair.create(topology, router);
    const pair = new VrrpPair(routers);
    try {
      // Else the device of the IPv6 group answers ARP for the address of the other group, too.
      if (options.hasVirtualMac === true)
        for (const each of [routers.first, routers.second]) await each.sysctl('net.ipv4.conf.all.arp_ignore=1');
      const [first, second] = await Promise.all([
        Keepalived.start(routers.first, configuration(routers.side, 150, options), directory),
        Keepalived.start(routers.second, configuration(routers.side, 100, options), directory),
      ]);
      pair.#daemons.push(first, second);
      await first.holds(routers.shared);
      return pair;
    } catch (error) {
      await pair[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Pulls the cables of the first router, and resolves when the other one has the virtual addresses. */
  async failOver(): Promise<void> {
    await this.#routers.unplug('first');
    await this.#daemons[1]?.holds(this.#routers.shared);
  }

  /** Neither hears the other any more: resolves when both are masters. */
  async split(): Promise<void> {
    for (const router of [this.#routers.first, this.#routers.second])
      await router.run(['nft', '-f', '-'], {
        input: `table inet split {
          chain input {
            type filter hook input priority filter
            meta l4proto 112 drop
          }
        }`,
      });
    for (const daemon of this.#daemons) await daemon.holds(this.#routers.shared);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#daemons.map((daemon) => daemon[Symbol.asyncDispose]()));
    await this.#routers[Symbol.asyncDispose]();
  }
}

function configuration(side: PairSide, priority: number, options: VrrpOptions): string {
  const instances = (['outer', 'inner'] as const).flatMap((place) =>
    (['v4', 'v6'] as const).map((family) => ({ place, family, name: `${place}_${family}` })),
  );
  const blocks = instances.map(({ place, family, name }) => {
    const virtual = (place === 'outer' ? side.outerShared : side.innerShared)[family];
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
