import assert from 'node:assert/strict';
import path from 'node:path';

import { FakeManagementServer } from 'openvpn-management-client/testing';

import { orderKick } from '../../sidecar/control/client.js';
import { type Footprint, HeapProbe } from './heap-probe.js';
import { connect, Namespace } from './namespace.js';
import { Pki } from './pki.js';
import type { Random } from './random.js';
import { Sidecar } from './sidecar.js';
import { canonical, clientElements } from './client-elements.js';
import { eventually, patient } from './wait.js';

/** What happens in one hour, one after the other in the order of the seed. */
export const HOUR = {
  connect: 303,
  leave: 300,
  /** The same name comes from elsewhere, and OpenVPN drops the session before. */
  'take over': 40,
  /** Renegotiation. */
  reauth: 250,
  kick: 3,
  /** The management connection is lost. */
  'lose connection': 1,
} as const;

type DayEvent = keyof typeof HOUR;

/** Common names and addresses that there are: fewer addresses than names, so that these change hands. */
const NAMES = 1000;
const ADDRESSES = 600;
/** Most clients that are connected at once. */
const MOST = 400;

/**
 * A sidecar process that lives through a day of an OpenVPN server in minutes: the server is a fake, whose events come as
 * fast as the sidecar takes them; sidecar, kernel and time are real. Disposal ends it.
 */
export class SimulatedDay implements AsyncDisposable {
  readonly sidecar: Sidecar;
  /** How often each event happened. */
  readonly counts = new Map<DayEvent | 'restart', number>();
  readonly #random: Random;
  readonly #endpoint: Namespace;
  readonly #other: Namespace;
  readonly #directory: Pki;
  readonly #fake: FakeManagementServer;
  readonly #probe: HeapProbe;

  private constructor(
    random: Random,
    parts: {
      endpoint: Namespace;
      other: Namespace;
      directory: Pki;
      fake: FakeManagementServer;
      probe: HeapProbe;
      sidecar: Sidecar;
    },
  ) {
    this.#random = random;
    this.#endpoint = parts.endpoint;
    this.#other = parts.other;
    this.#directory = parts.directory;
    this.#fake = parts.fake;
    this.#probe = parts.probe;
    this.sidecar = parts.sidecar;
  }

  static async begin(random: Random): Promise<SimulatedDay> {
    const endpoint = await Namespace.create('endpoint', { forwarding: true });
    const other = await Namespace.create('other');
    const directory = await Pki.create();
    const socket = path.join(directory.directory, 'management.sock');
    const fake = await FakeManagementServer.listen({ listen: { path: socket } });
    await connect({ namespace: endpoint, device: 'lan0' }, { namespace: other, device: 'eth0' });
    await endpoint.ip(
      'addr add 192.0.2.10/24 dev lan0',
      'tuntap add mode tun name tun0',
      'addr add 10.64.0.1/10 dev tun0',
      'addr add 2001:db8:8::1/64 dev tun0',
      'link set tun0 up',
    );
    const probe = new HeapProbe(path.join(directory.directory, 'heap'));
    const sidecar = await Sidecar.start({
      namespace: endpoint,
      directory: directory.directory,
      managementSocket: socket,
      flags: ['--authorize', 'accept', '--transport', 'udp/1194'],
      env: probe.env,
    });
    const day = new SimulatedDay(random, { endpoint, other, directory, fake, probe, sidecar });
    for (let count = 0; count < MOST / 2; count += 1) await day.#connect(day.#name());
    fake.on('client-kill', ([cid = '']) => {
      const isThere = fake.clients.has(Number(cid));
      if (isThere) setImmediate(() => void fake.disconnectClient(Number(cid)));
      return [isThere ? 'SUCCESS: client-kill command succeeded' : 'ERROR: client-kill command failed'];
    });
    return day;
  }

  /** One hour. @param hasRestart OpenVPN restarts inside at its beginning */
  async hour(hasRestart: boolean): Promise<void> {
    if (hasRestart) await this.#restart();
    const events = (Object.keys(HOUR) as DayEvent[]).flatMap((event) => Array<DayEvent>(HOUR[event]).fill(event));
    while (events.length > 0) {
      const [event] = events.splice(this.#random.below(events.length), 1);
      if (event !== undefined) await this.#happen(event);
    }
  }

  /** Resolves when the kernel has exactly the clients that the fake has; with how many there are. */
  async checkpoint(): Promise<number> {
    return await eventually(
      async () => {
        const clients = [...this.#fake.clients.values()].filter(({ isEstablished }) => isEstablished);
        assert.deepEqual(
          await clientElements(this.#endpoint),
          clients.flatMap(({ addresses }) => addresses.map(canonical)).toSorted(),
        );
        return { count: clients.length };
      },
      { what: 'the kernel and the fake agree', timeoutMs: 30_000, intervalMs: 200 },
    ).then(({ count }) => count);
  }

  async footprint(): Promise<Footprint> {
    return await this.#probe.read(this.sidecar);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sidecar[Symbol.asyncDispose]();
    await this.#fake.close();
    await this.#endpoint[Symbol.asyncDispose]();
    await this.#other[Symbol.asyncDispose]();
    await this.#directory[Symbol.asyncDispose]();
  }

  #count(event: DayEvent | 'restart'): void {
    this.counts.set(event, (this.counts.get(event) ?? 0) + 1);
  }

  async #happen(event: DayEvent): Promise<void> {
    const cids = [...this.#fake.clients.keys()];
    switch (event) {
      case 'connect':
        if (cids.length >= MOST) return;
        await this.#connect(this.#name());
        break;
      case 'leave':
        if (cids.length === 0) return;
        await this.#fake.disconnectClient(this.#random.pick(cids));
        break;
      case 'take over': {
        if (cids.length === 0) return;
        const cid = this.#random.pick(cids);
        const client = this.#fake.clients.get(cid);
        if (client === undefined) return;
        // It has the same address as before, and DISCONNECT comes first or last.
        const isFirst = this.#random.below(2) === 0;
        if (isFirst) await this.#fake.disconnectClient(cid);
        await this.#fake.connectClient({ commonName: client.commonName, addresses: client.addresses });
        if (!isFirst) await this.#fake.disconnectClient(cid);
        break;
      }
      case 'reauth':
        if (cids.length === 0) return;
        await this.#fake.reauthenticate(this.#random.pick(cids));
        break;
      case 'kick':
        await this.#kick(cids);
        break;
      case 'lose connection':
        await this.#loseConnection();
        break;
      default:
        event satisfies never;
    }
    this.#count(event);
  }

  /** Everybody comes again. */
  async #restart(): Promise<void> {
    const names = [...this.#fake.clients.values()].map(({ commonName }) => commonName);
    await this.#fake.restart();
    for (const name of names) await this.#connect(name);
    this.#count('restart');
  }

  /** A name that is not connected. */
  #name(): string {
    const used = new Set([...this.#fake.clients.values()].map(({ commonName }) => commonName));
    const names = Array.from({ length: NAMES }, (_, number) => `client${number}`);
    return this.#random.pick(names.filter((name) => !used.has(name)));
  }

  async #connect(commonName: string): Promise<void> {
    const used = new Set([...this.#fake.clients.values()].flatMap(({ addresses }) => addresses));
    const numbers = Array.from({ length: ADDRESSES }, (_, number) => number + 2);
    const free = numbers.filter((number) => !used.has(ipv4(number)));
    const number = this.#random.pick(free);
    const addresses = [ipv4(number), `2001:db8:8::${number.toString(16)}`];
    await this.#fake.connectClient({ commonName, addresses });
  }

  async #kick(cids: readonly number[]): Promise<void> {
    // Events that are on their way arrive first.
    await this.checkpoint();
    if (cids.length === 0) return;
    const cid = this.#random.pick(cids);
    const order = { server: null, isAll: false, message: null, isHalt: false, holdSeconds: null };
    await orderKick(this.sidecar.controlSocket, { client: `cid:${cid}`, ...order }, { timeoutMs: patient(15_000) });
    await eventually(() => !this.#fake.clients.has(cid), { what: 'the end of a client that was kicked' });
  }

  async #loseConnection(): Promise<void> {
    const before = this.#fake.connections;
    await this.#fake.hangUp();
    await eventually(() => this.#fake.connections > before, { what: 'the next management connection' });
    await this.sidecar.ready();
  }
}

function ipv4(number: number): string {
  return `10.64.${number >> 8}.${number & 255}`;
}
