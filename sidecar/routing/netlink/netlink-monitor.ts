import type { NetlinkSocket } from 'nftables-json/netlink';
import { openNetlinkSocket } from 'nftables-json/netlink';
import type { WatchOptions } from '../kernel-routing.js';
import type { KernelEvent } from '../neighbour-monitor.js';
import { decodeEvent } from './decode.js';
import type { DeviceNames } from './device-names.js';
import { splitMessages } from './messages.js';
import { GROUPS, NETLINK_ROUTE } from './rtnetlink.js';

/** Space for events: a hundred thousand neighbours or routes that change at once. */
const RECEIVE_BYTES = 32 * 1024 * 1024;
/** The largest datagram of an event is a device with all its statistics, some 2 KiB; a listing is larger. */
const DATAGRAM_BYTES = 65_536;
/** After so many datagrams, other work has its turn. */
const DATAGRAMS_PER_TURN = 512;

type NeighbourEvent = KernelEvent & { readonly kind: 'neighbour' };

/**
 * Events of the kernel's rules, routes, neighbours, devices and addresses, by a multicast socket of rtnetlink. When the
 * kernel had to drop some (ENOBUFS), it says so, and goes on.
 */
export class NetlinkMonitor implements AsyncDisposable {
  readonly #names: DeviceNames;
  readonly #options: WatchOptions;
  readonly #datagram = Buffer.alloc(DATAGRAM_BYTES);
  readonly #socket: NetlinkSocket;
  #isClosing = false;
  #isDraining = false;
  readonly #neighbours = new LatestOfNeighbours();

  private constructor(socket: NetlinkSocket, names: DeviceNames, options: WatchOptions) {
    this.#socket = socket;
    this.#names = names;
    this.#options = options;
  }

  /**
   * @param receiveBytes space for events that were not taken yet; tests have less
   * @throws NftError UNAVAILABLE without koffi or netlink, and in a worker thread
   */
  static async open(
    names: DeviceNames,
    options: WatchOptions,
    { receiveBytes = RECEIVE_BYTES }: { readonly receiveBytes?: number } = {},
  ): Promise<NetlinkMonitor> {
    const socket = await openNetlinkSocket({
      protocol: NETLINK_ROUTE,
      groups: Object.values(GROUPS),
      receiveBytes,
    });
    const monitor = new NetlinkMonitor(socket, names, options);
    try {
      socket.onReadable(() => monitor.#drain());
    } catch (error) {
      socket.close();
      throw error;
    }
    return monitor;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isClosing) this.#socket.close();
    this.#isClosing = true;
  }

  #drain(): void {
    // The rest of what is taken in turns is under way.
    if (this.#isDraining) return;
    const isAll = this.#receive();
    this.#neighbours.handOn((event) => this.#handOn(event));
    if (isAll || this.#isClosing) return;
    this.#isDraining = true;
    setImmediate(() => {
      this.#isDraining = false;
      this.#drain();
    });
  }

  /** Takes datagrams for a turn; true: there are no more. */
  #receive(): boolean {
    for (let count = 0; count < DATAGRAMS_PER_TURN; count += 1) {
      if (this.#isClosing) return true;
      const length = this.#socket.receive(this.#datagram);
      if (length === 'none') return true;
      if (length === 'lost') this.#options.onLost('the kernel dropped events: its buffer was full (ENOBUFS)');
      else this.#takeAll(this.#datagram.subarray(0, length));
    }
    return false;
  }

  #takeAll(datagram: Buffer): void {
    for (const message of splitMessages(datagram)) {
      const event = decodeEvent(message, this.#names, this.#options.protocol);
      if (event === null) continue;
      if (event.kind === 'neighbour') {
        this.#neighbours.add(event);
        continue;
      }
      this.#neighbours.handOn((earlier) => this.#handOn(earlier));
      this.#handOn(event);
    }
  }

  #handOn(event: KernelEvent): void {
    if (!this.#isClosing) this.#options.onEvent(event);
  }
}

/**
 * Events of neighbours that are already followed by later ones of the same address count no more: a flood of claims
 * costs little more than reading it, and what comes behind it is heard in time.
 */
class LatestOfNeighbours {
  readonly #events = new Map<string, NeighbourEvent>();

  add(event: NeighbourEvent): void {
    const key = `${event.device} ${event.address}`;
    this.#events.delete(key);
    this.#events.set(key, event);
  }

  /** Empties it, in the order of the events. */
  handOn(take: (event: NeighbourEvent) => void): void {
    const events = [...this.#events.values()];
    this.#events.clear();
    for (const event of events) take(event);
  }
}
