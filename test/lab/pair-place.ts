import { Capture } from './capture.js';
import { Inline } from './inline.js';
import { connect, Namespace } from './namespace.js';
import { ADDRESS, address, MAC, OneArm } from './topology.js';
import type { Party } from './traffic.js';
import { TUNNEL } from './vpn-lab.js';

/*
 * Where a pair of endpoints is, in place of the one endpoint. One-arm: both at the switch. Inline: each is a bridge
 * beside the other one, of which the site's port is up on the master alone, so that there is no loop:
 *
 *                    +-- p1  a  br0  p2 --+
 *   r2 -- site side -+                    +-- wan side -- r1
 *                    +-- p1  b  br0  p2 --+
 */

/** The name of an endpoint of a pair. */
export type MemberName = 'a' | 'b';
/** Everything that traffic can start or end at. */
export type PairParty = 'hostA' | 'hostB' | 'site' | 'client1';

/** An endpoint's own addresses. */
export const OWN = {
  a: { v4: '192.0.2.8', v6: '2001:db8::8', mac: '02:00:00:00:00:08' },
  b: { v4: '192.0.2.9', v6: '2001:db8::9', mac: '02:00:00:00:00:09' },
} as const;

/** A topology with room for two endpoints. Disposal removes it. */
export interface PairPlace extends AsyncDisposable {
  /** The endpoints' device with their addresses. */
  readonly device: string;
  readonly client1: Namespace;
  /** Hosts that have a router, with its MAC address. */
  readonly routerOf: Partial<Readonly<Record<PairParty, string>>>;
  /** They are bridges, and the site's port of the backup is down. */
  readonly isInline: boolean;
  /** Gives an endpoint its cables and its own addresses. */
  plug(name: MemberName, namespace: Namespace): Promise<void>;
  /** Cuts its cables. */
  unplug(name: MemberName): Promise<void>;
  party(name: PairParty, family: 'v4' | 'v6'): Party;
  /** Records what an endpoint sends and gets, on the side of the upstream router. */
  capture(name: MemberName, filter?: string): Promise<Capture>;
  /** Records what routers of hosts get. */
  captureAtRouters(master: MemberName, filter?: string): Promise<Capture>;
}

/** The one-arm topology, see above. */
export class OneArmPlace implements PairPlace {
  readonly device = 'lan0';
  readonly isInline = false;
  readonly routerOf = { hostA: MAC.r1, hostB: MAC.r2 };
  readonly #topology: OneArm;

  private constructor(topology: OneArm) {
    this.#topology = topology;
  }

  static async create(): Promise<OneArmPlace> {
    const topology = await OneArm.create();
    await topology.switch.ip('link del to-endpoint');
    return new OneArmPlace(topology);
  }

  get client1(): Namespace {
    return this.#topology.client1;
  }

  async plug(name: MemberName, namespace: Namespace): Promise<void> {
    const { switch: segment } = this.#topology;
    const { mac, v4, v6 } = OWN[name];
    await connect({ namespace, device: 'lan0', mac }, { namespace: segment, device: `to-${name}` });
    await segment.ip(`link set to-${name} master br0`);
    await namespace.ip(...address('lan0', `${v4}/24`, `${v6}/64`));
  }

  async unplug(name: MemberName): Promise<void> {
    await this.#topology.switch.ip(`link del to-${name}`);
  }

  party(name: PairParty, family: 'v4' | 'v6'): Party {
    return { namespace: this.#topology[name], address: addressOf(name, family) };
  }

  async capture(name: MemberName, filter = ''): Promise<Capture> {
    return await Capture.start(this.#topology.switch, `to-${name}`, filter);
  }

  async captureAtRouters(master: MemberName, filter = ''): Promise<Capture> {
    return await this.capture(master, filter);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#topology[Symbol.asyncDispose]();
  }
}

/** The bridges on either side of an inline pair, by the port of the endpoints that leads there. */
type Sides = Readonly<Record<'p1' | 'p2', Namespace>>;

/** The inline topology, see above. */
export class InlinePlace implements PairPlace {
  readonly device = 'br0';
  readonly isInline = true;
  readonly routerOf = { hostA: MAC.r2 };
  readonly #topology: Inline;
  readonly #sides: Sides;

  private constructor(topology: Inline, sides: Sides) {
    this.#topology = topology;
    this.#sides = sides;
  }

  static async create(): Promise<InlinePlace> {
    const topology = await Inline.create();
    const { endpoint } = topology.boxes;
    const sides = { p1: await Namespace.create('site-side'), p2: await Namespace.create('wan-side') };
    for (const [port, side] of Object.entries(sides)) {
      await endpoint.ip(`link set ${port} nomaster`, `link set ${port} netns ${side.name}`);
      await side.ip(
        'link add br0 type bridge mcast_snooping 0 stp_state 0 forward_delay 0',
        `link set ${port} master br0`,
        `link set ${port} up`,
        'link set br0 up',
      );
    }
    return new InlinePlace(topology, sides);
  }

  get client1(): Namespace {
    return this.#topology.boxes.client1;
  }

  async plug(name: MemberName, namespace: Namespace): Promise<void> {
    const { mac, v4, v6 } = OWN[name];
    await namespace.ip(`link add br0 address ${mac} type bridge mcast_snooping 0 stp_state 0 forward_delay 0`);
    for (const [port, side] of Object.entries(this.#sides)) {
      await connect({ namespace, device: port }, { namespace: side, device: `to-${name}` });
      await namespace.ip(...(port === 'p1' ? [`link set ${port} down`] : []), `link set ${port} master br0`);
      await side.ip(`link set to-${name} master br0`);
    }
    await namespace.ip(...address('br0', `${v4}/24`, `${v6}/64`));
  }

  async unplug(name: MemberName): Promise<void> {
    await Promise.all(Object.values(this.#sides).map((side) => side.ip(`link del to-${name}`)));
  }

  party(name: PairParty, family: 'v4' | 'v6'): Party {
    const { host, site, client1, away } = this.#topology.boxes;
    return { namespace: { hostA: host, hostB: away, site, client1 }[name], address: addressOf(name, family) };
  }

  async capture(name: MemberName, filter = ''): Promise<Capture> {
    return await Capture.start(this.#sides.p2, `to-${name}`, filter);
  }

  async captureAtRouters(_master: MemberName, filter = ''): Promise<Capture> {
    return await Capture.start(this.#topology.boxes.r2, 'lan0', filter);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Object.values(this.#sides).map((side) => side[Symbol.asyncDispose]()));
    await this.#topology[Symbol.asyncDispose]();
  }
}

function addressOf(name: PairParty, family: 'v4' | 'v6'): string {
  return name === 'client1' ? TUNNEL.client1[family] : ADDRESS[name][family];
}
