import path from 'node:path';

import { rememberConnections } from './conntrack-timeouts.js';
import { fencedBlocks, readGuide } from './guide.js';
import { Keepalived } from './keepalived.js';
import { Namespace } from './namespace.js';
import { IMPATIENT, OpenVpnClient, OpenVpnServer } from './openvpn.js';
import { type Identity, Pki } from './pki.js';
import { Sidecar } from './sidecar.js';
import type { MemberName, PairPlace } from './pair-place.js';
import { ADDRESS } from './topology.js';
import { clientsAt, PUSHED, TUNNEL, TUN_MTU } from './vpn-lab.js';

/*
 * Two endpoints with the same certificate and the same clients' addresses. The VPN's addresses, 192.0.2.10 and
 * 2001:db8::10, belong to whoever is the VRRP master. On each run OpenVPN, a sidecar and keepalived, all the time.
 */

const GUIDE = 'docs/guides/pair.md';
const SHARED = [`${ADDRESS.endpoint.v4}/24`, `${ADDRESS.endpoint.v6}/64`] as const;

interface Identities {
  readonly server: Identity;
  readonly client: Identity;
}

/** One endpoint that has power. */
interface Member {
  readonly name: MemberName;
  readonly namespace: Namespace;
  readonly server: OpenVpnServer;
  readonly sidecar: Sidecar;
  readonly keepalived: Keepalived;
}

/** Two endpoints under VRRP, see above. Disposal ends everything. */
export class EndpointPair implements AsyncDisposable {
  /** Owned. */
  readonly place: PairPlace;
  readonly #pki: Pki;
  readonly #identities: Identities;
  readonly #members = new Map<MemberName, Member>();

  private constructor(place: PairPlace, pki: Pki, identities: Identities) {
    this.place = place;
    this.#pki = pki;
    this.#identities = identities;
  }

  /** Resolves when `a` is the master and `b` its backup. */
  static async create(place: PairPlace): Promise<EndpointPair> {
    const pki = await Pki.create();
    const [server, client] = await Promise.all([pki.issue('server', 'server'), pki.issue('client1', 'client')]);
    const pair = new EndpointPair(place, pki, { server, client });
    try {
      await (await pair.powerOn('a')).keepalived.holds(SHARED);
      await pair.powerOn('b');
      return pair;
    } catch (error) {
      await Promise.allSettled([pair[Symbol.asyncDispose]()]);
      throw error;
    }
  }

  /** An endpoint that has power. */
  member(name: MemberName): Member {
    const member = this.#members.get(name);
    if (member === undefined) throw new Error(`the endpoint ${name} is off`);
    return member;
  }

  /** Starts an endpoint, with nothing from an earlier life; resolves when it takes part in VRRP and its sidecar is ready. */
  async powerOn(name: MemberName): Promise<Member> {
    const namespace = await Namespace.create(`endpoint-${name}`, { forwarding: true });
    await this.place.plug(name, namespace);
    await rememberConnections(namespace);
    const server = await OpenVpnServer.start({
      namespace,
      pki: this.#pki,
      identity: this.#identities.server,
      transport: 'udp4',
      network: '10.8.0.0 255.255.255.0',
      network6: 'fd00:8::/64',
      tunMtu: TUN_MTU,
      keepalive: IMPATIENT,
      management: {},
      clients: { client1: clientsAt(TUNNEL).client1 },
      push: PUSHED,
      // It answers from the address that it was asked at, which is not always its own.
      extra: ['multihome'],
    });
    const sidecar = await Sidecar.start({
      namespace,
      directory: path.join(this.#pki.directory, namespace.name),
      managementSocket: server.managementSocket,
    });
    const keepalived = await Keepalived.start(namespace, configuration(this.place), this.#pki.directory);
    const member = { name, namespace, server, sidecar, keepalived };
    this.#members.set(name, member);
    return member;
  }

  /** Takes an endpoint's power: its cable is dead at once, and nothing of it says good-bye. */
  async powerOff(name: MemberName): Promise<void> {
    const { namespace } = this.member(name);
    this.#members.delete(name);
    await this.place.unplug(name);
    await namespace[Symbol.asyncDispose]();
  }

  /** Resolves when an endpoint has the shared addresses. */
  async isMaster(name: MemberName): Promise<void> {
    await this.member(name).keepalived.holds(SHARED);
  }

  /** Starts the client; resolves when it is connected, and the master's sidecar serves it. */
  async connect(master: MemberName): Promise<OpenVpnClient> {
    const client = await OpenVpnClient.start({
      namespace: this.place.client1,
      pki: this.#pki,
      identity: this.#identities.client,
      transport: 'udp4',
      remote: ADDRESS.endpoint.v4,
    });
    await this.serves(master);
    return client;
  }

  /** Resolves when this endpoint serves the client. */
  async serves(name: MemberName): Promise<void> {
    await this.member(name).sidecar.statusWhere(
      ({ clients, uplink }) => uplink !== null && clients.some(({ commonName }) => commonName === 'client1'),
      `${name} serves client1`,
      30_000,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { namespace } of this.#members.values()) await namespace[Symbol.asyncDispose]();
    await this.place[Symbol.asyncDispose]();
    await this.#pki[Symbol.asyncDispose]();
  }
}

/** What the guide says to write. */
function configuration({ device, isInline }: PairPlace): string {
  const common = guideBlock('keepalived').replaceAll('interface lan0', `interface ${device}`);
  if (!isInline) return common;
  return common.replace(/^vrrp_sync_group .*\n/m, (line) => `${line}${guideBlock('keepalived-inline')}`);
}

/** @throws Error if the guide has no such block */
function guideBlock(name: string): string {
  const found = fencedBlocks(readGuide(GUIDE)).find(({ words }) => words.includes(name));
  if (found === undefined) throw new Error(`${GUIDE} has no block ${name}`);
  return found.text;
}
