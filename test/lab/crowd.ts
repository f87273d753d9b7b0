import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';

import { parseStatus3, type StatusSnapshot } from 'openvpn-management-client';

import { HeapProbe } from './heap-probe.js';
import { connect, Namespace, reapNamespaces } from './namespace.js';
import { OpenVpnClient, OpenVpnServer } from './openvpn.js';
import { type Identity, Pki } from './pki.js';
import { Sidecar } from './sidecar.js';
import { eventually } from './wait.js';

/** As many are prepared at a time: each is a handful of short programs. */
const AT_ONCE = 8;
const ENDPOINT = '198.18.0.1';
/** In the log of a client. */
const CONNECTED = 'Initialization Sequence Completed';

export interface CrowdOptions {
  /** How many clients there are at most, each in a network namespace of its own; at least 2, at most 2000. */
  readonly size: number;
  /** `--management-client-auth`, and the sidecar accepts. */
  readonly clientAuth: boolean;
  /** Ping interval and timeout of clients in seconds; the server's is twice as long. */
  readonly keepalive: readonly [number, number];
}

/** Where a client can run: a network namespace on the segment of the endpoint. */
export class Place {
  readonly namespace: Namespace;
  readonly number: number;
  /** The one that runs here, or ran here last. */
  client: OpenVpnClient | null = null;
  /** What is under way here: it connects. Never rejects. */
  busy: Promise<void> | null = null;
  /** How often its address changed. */
  #roams = 0;

  constructor(namespace: Namespace, number: number) {
    this.namespace = namespace;
    this.number = number;
  }

  /** IPv4 address without its length. */
  get address(): string {
    const low = this.number + 2;
    return `198.18.${(low >> 8) + (this.#roams % 2) * 64}.${low & 255}`;
  }

  get isRunning(): boolean {
    return this.client !== null && this.client.process.exitStatus === undefined;
  }

  /** Gives it another address, as a phone gets that changes the network. */
  async roam(): Promise<void> {
    const before = this.address;
    this.#roams += 1;
    await this.namespace.ip(`addr add ${this.address}/32 dev eth0`, `addr del ${before}/32 dev eth0`);
  }
}

/**
 * An endpoint with a server, a sidecar, and many places for clients, all on one segment. Disposal ends everything.
 */
export class Crowd implements AsyncDisposable {
  readonly endpoint: Namespace;
  readonly places: readonly Place[];
  readonly names: readonly string[];
  readonly server: OpenVpnServer;
  readonly sidecar: Sidecar;
  readonly probe: HeapProbe;
  readonly #options: CrowdOptions;
  readonly #segment: Namespace;
  readonly #pki: Pki;
  readonly #identities: ReadonlyMap<string, Identity>;

  private constructor(parts: {
    options: CrowdOptions;
    segment: Namespace;
    endpoint: Namespace;
    places: readonly Place[];
    pki: Pki;
    identities: ReadonlyMap<string, Identity>;
    server: OpenVpnServer;
    sidecar: Sidecar;
    probe: HeapProbe;
  }) {
    this.#options = parts.options;
    this.#segment = parts.segment;
    this.endpoint = parts.endpoint;
    this.places = parts.places;
    this.#pki = parts.pki;
    this.#identities = parts.identities;
    this.names = [...parts.identities.keys()];
    this.server = parts.server;
    this.sidecar = parts.sidecar;
    this.probe = parts.probe;
  }

  /** Builds it, with the sidecar ready and nobody connected. */
  static async create(options: CrowdOptions): Promise<Crowd> {
    await reapNamespaces();
    const open: AsyncDisposable[] = [];
    const keep = <Part extends AsyncDisposable>(part: Part): Part => {
      open.push(part);
      return part;
    };
    try {
      const segment = keep(await Namespace.create('segment'));
      await segment.ip('link add br0 type bridge mcast_snooping 0 stp_state 0 forward_delay 0', 'link set br0 up');
      const endpoint = keep(await Namespace.create('endpoint', { forwarding: true }));
      await plug(segment, endpoint, 'to-endpoint', 'lan0', [ENDPOINT, 16]);
      const pki = keep(await Pki.create());
      const identity = await pki.issue('server', 'server');
      const numbers = Array.from({ length: options.size }, (_, number) => number);
      const places = await inGroups(numbers, async (number) => {
        const place = new Place(keep(await Namespace.create(`c${number}`)), number);
        await plug(segment, place.namespace, `to-c${number}`, 'eth0', [place.address, 32]);
        return place;
      });
      const identities = await inGroups(numbers, async (number) => await pki.issue(`client${number}`, 'client'));
      const server = keep(
        await OpenVpnServer.start({
          namespace: endpoint,
          pki,
          identity,
          transport: 'udp4',
          network: '10.8.0.0 255.255.0.0',
          network6: 'fd00:8::/64',
          keepalive: options.keepalive,
          management: { clientAuth: options.clientAuth },
          // Every tenth has networks behind it.
          clients: Object.fromEntries(
            numbers
              .filter((number) => number % 10 === 0)
              .map((number) => [
                `client${number}`,
                {
                  subnets: [`172.20.${number / 10}.0 255.255.255.0`],
                  subnets6: [`fd00:77:${number}::/48`],
                },
              ]),
          ),
          extra: [`status ${path.join(pki.directory, 'status')} 1`, 'status-version 3', 'max-clients 4096'],
        }),
      );
      const probe = new HeapProbe(path.join(pki.directory, 'heap'));
      const sidecar = keep(
        await Sidecar.start({
          namespace: endpoint,
          directory: pki.directory,
          managementSocket: server.managementSocket,
          flags: options.clientAuth ? ['--authorize', 'accept'] : [],
          env: probe.env,
        }),
      );
      return new Crowd({
        options,
        segment,
        endpoint,
        places,
        pki,
        identities: new Map(identities.map((each) => [each.commonName, each])),
        server,
        sidecar,
        probe,
      });
    } catch (error) {
      // What cannot be tidied up must not hide why.
      await Promise.allSettled(open.toReversed().map((part) => part[Symbol.asyncDispose]()));
      throw error;
    }
  }

  /** Starts a client of that name at a place, where none runs; {@link Place.busy} resolves when it is connected. */
  async launch(place: Place, name: string): Promise<void> {
    const identity = this.#identities.get(name);
    if (identity === undefined) throw new Error(`nobody is named ${name}`);
    place.client = await OpenVpnClient.launch({
      namespace: place.namespace,
      pki: this.#pki,
      identity,
      transport: 'udp4',
      remote: ENDPOINT,
      ...(this.#options.clientAuth ? { login: { username: name, password: 'correct horse' } } : {}),
    });
    this.expectConnection(place, 0);
  }

  /** From this line of its log on, a client is busy until it is connected, or ends. */
  expectConnection(place: Place, from: number): void {
    const { client } = place;
    if (client === null) return;
    this.#keepBusy(
      place,
      client.connected({ from, timeoutMs: 20_000 }).catch((error: unknown) => {
        // It was killed meanwhile; one that cannot connect is found by the checkpoint.
        if (client.process.exitStatus === undefined) throw error;
      }),
    );
  }

  /**
   * The same after a kick. What was kicked may be an earlier session of the client, which has connected again: then
   * nothing happens to it.
   *
   * @param kicked CIDs
   */
  expectKicked(place: Place, from: number, kicked: ReadonlySet<string>): void {
    const { client } = place;
    if (client === null) return;
    const name = client.options.identity.commonName;
    let firstTime: string | undefined;
    const isOver = async (): Promise<boolean> => {
      const lines = client.process.lines.slice(from);
      if (client.process.exitStatus !== undefined || lines.some((line) => line.includes(CONNECTED))) return true;
      if (lines.some((line) => line.includes('process restarting'))) return false;
      const told = await this.status();
      // What was written before the kick may still have a session that another one has replaced.
      firstTime ??= told?.time;
      if (told === null || told.time === firstTime) return false;
      return told.snapshot.clients.some(
        ({ cid, commonName, realAddressText }) =>
          commonName === name &&
          realAddressText.includes(`${place.address}:`) &&
          cid !== undefined &&
          !kicked.has(cid),
      );
    };
    this.#keepBusy(
      place,
      eventually(isOver, { what: `${name} is connected after a kick`, timeoutMs: 20_000, intervalMs: 100 }).then(
        () => undefined,
      ),
    );
  }

  /** What OpenVPN says in its status file, which it writes every second; null while it writes. */
  async status(): Promise<{ readonly snapshot: StatusSnapshot; readonly time: string } | null> {
    const text = await readFile(path.join(this.#pki.directory, 'status'), 'utf8');
    const lines = text.split('\n').filter((line) => line !== '');
    if (lines.pop() !== 'END') return null;
    return { snapshot: parseStatus3(lines), time: lines.find((line) => line.startsWith('TIME\t')) ?? '' };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sidecar[Symbol.asyncDispose]();
    await inGroups(this.places, async ({ client }) => {
      client?.process.kill('SIGKILL');
      await client?.process.exited;
    });
    await this.server.stop();
    await inGroups(this.places, async ({ namespace }) => await namespace[Symbol.asyncDispose]());
    await this.endpoint[Symbol.asyncDispose]();
    await this.#segment[Symbol.asyncDispose]();
    await rm(path.join(this.#pki.directory, 'status'), { force: true });
    await this.#pki[Symbol.asyncDispose]();
  }

  #keepBusy(place: Place, work: Promise<void>): void {
    const busy = work.finally(() => {
      if (place.busy === busy) place.busy = null;
    });
    // Whoever waits for it gets the error.
    busy.catch(() => undefined);
    place.busy = busy;
  }
}

async function plug(
  segment: Namespace,
  box: Namespace,
  port: string,
  device: string,
  [address, prefixLength]: readonly [string, number],
): Promise<void> {
  await connect({ namespace: segment, device: port }, { namespace: box, device });
  await segment.ip(`link set ${port} master br0`);
  // The route stays while addresses come and go.
  await box.ip(`addr add ${address}/${prefixLength} dev ${device}`, `route replace 198.18.0.0/16 dev ${device}`);
}

/** Does it for each, a few at a time. */
async function inGroups<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let at = 0; at < items.length; at += AT_ONCE)
    results.push(...(await Promise.all(items.slice(at, at + AT_ONCE).map(work))));
  return results;
}
