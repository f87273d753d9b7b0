import type { NetlinkSocket } from 'nftables-json/netlink';
import { MessageWriter, NLM_F_REQUEST, openNetlinkSocket } from 'nftables-json/netlink';
import { GwmarkError } from '../../errors.js';
import { type DeviceNames, loadDeviceNames } from './device-names.js';
import {
  type Message,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLM_F_DUMP_INTR,
  type Request,
  attributesOf,
  int32,
  splitMessages,
  string,
} from './messages.js';
import { RoutingRefusal } from './refusal.js';
import { NETLINK_ROUTE } from './rtnetlink.js';

const NLM_F_DUMP = 0x300;
/** The request that an error quotes is its header alone. */
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;
/** An errno, and the header of the request. */
const QUOTED_BYTES = 20;
/** The kernel's largest datagram of a listing: net/netlink/af_netlink.c netlink_dump(). */
const DATAGRAM_BYTES = 65_536;
/** A listing that changed meanwhile is read again, so often. */
const MAX_TRIES = 10;
/** Answers to requests before, which nobody waited for. */
const MAX_STRAY = 1024;

/** A socket of rtnetlink for requests, one at a time. The caller closes it. */
export class RouteSocket {
  readonly names: DeviceNames;
  readonly #requests: NetlinkSocket;
  /** Its own, so that a change never waits for a listing. */
  readonly #listings: NetlinkSocket;
  readonly #writer = new MessageWriter();
  readonly #received = Buffer.alloc(DATAGRAM_BYTES);
  readonly #listed = Buffer.alloc(DATAGRAM_BYTES);
  #sequence = 0;
  /** Resolves when no listing runs. */
  #listing: Promise<unknown> = Promise.resolve();

  /** @param requests for changes, and `listings` for listings: owned */
  constructor(requests: NetlinkSocket, listings: NetlinkSocket, names: DeviceNames) {
    this.#requests = requests;
    this.#listings = listings;
    this.names = names;
  }

  /** @throws GwmarkError ROUTING_UNAVAILABLE without koffi or netlink */
  static async open(): Promise<RouteSocket> {
    try {
      const names = await loadDeviceNames();
      const options = { protocol: NETLINK_ROUTE, isExplicit: true };
      const requests = await openNetlinkSocket(options);
      try {
        return new RouteSocket(requests, await openNetlinkSocket(options), names);
      } catch (error) {
        requests.close();
        throw error;
      }
    } catch (error) {
      throw new GwmarkError('ROUTING_UNAVAILABLE', `open rtnetlink: ${(error as Error).message}`, { cause: error });
    }
  }

  /**
   * Makes one change. The kernel has made it when this returns.
   *
   * @throws RoutingRefusal
   */
  ask(request: Request): void {
    const refusal = this.#refusalIn(this.question(request));
    if (refusal !== null) throw refusal;
  }

  /**
   * The first answer: what was asked for, or NLMSG_ERROR, an acknowledgement or a refusal. Valid until the next request.
   *
   * @throws RoutingRefusal if there is none
   */
  question({ type, flags, own, attributes }: Request): Message {
    const sequence = this.#nextSequence();
    this.#writer.clear();
    this.#writer.request({ type, flags: flags | NLM_F_REQUEST, sequence }, own, attributes);
    if (!this.#requests.send(this.#writer.bytes, this.#writer.length))
      throw new RoutingRefusal('the kernel did not take the request');
    for (let count = 0; count < MAX_STRAY; count += 1) {
      const length = this.#requests.receive(this.#received);
      if (length === 'none') break;
      if (length === 'lost') continue;
      for (const message of splitMessages(this.#received.subarray(0, length)))
        if (message.sequence === sequence) return message;
    }
    throw new RoutingRefusal('no answer to the request: whether it was done is unknown');
  }

  /**
   * Lists a table of the kernel, on a thread: that of routes may be long. Again if it changed meanwhile.
   *
   * @param own header that says what is listed
   * @param take receives each message; called again from the first one after `restart`
   * @throws RoutingRefusal
   */
  list(type: number, own: Uint8Array, take: (message: Message) => void, restart: () => void): Promise<void> {
    const listed = this.#listing.then(() => this.#listNow(type, own, take, restart));
    this.#listing = listed.catch(() => undefined);
    return listed;
  }

  /** Requests, and a listing that goes on, are refused from now on. Idempotent. */
  close(): void {
    this.#requests.close();
    this.#listings.close();
  }

  async #listNow(type: number, own: Uint8Array, take: (message: Message) => void, restart: () => void): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      restart();
      if ((await this.#listOnce(type, own, take)) === 'whole') return;
      if (tries === MAX_TRIES) throw new RoutingRefusal(`the table changed during each of ${MAX_TRIES} listings`);
    }
  }

  async #listOnce(type: number, own: Uint8Array, take: (message: Message) => void): Promise<'whole' | 'torn'> {
    const sequence = this.#nextSequence();
    const writer = new MessageWriter();
    writer.request({ type, flags: NLM_F_REQUEST | NLM_F_DUMP, sequence }, own);
    if (!(await this.#listings.sendAside(writer.bytes, writer.length)))
      throw new RoutingRefusal('the kernel did not take the request');
    let isTorn = false;
    for (;;) {
      const length = await this.#listings.receiveAside(this.#listed);
      if (length === 'lost') return 'torn';
      for (const message of splitMessages(this.#listed.subarray(0, length))) {
        // A listing that was given up goes on until its end.
        if (message.sequence !== sequence) continue;
        isTorn ||= (message.flags & NLM_F_DUMP_INTR) !== 0;
        if (message.type === NLMSG_DONE || message.type === NLMSG_ERROR) {
          const refusal = this.#refusalIn(message);
          if (refusal !== null) throw refusal;
          return isTorn ? 'torn' : 'whole';
        }
        take(message);
      }
    }
  }

  /** Null for an acknowledgement, and for the end of a listing that succeeded. */
  #refusalIn({ type, flags, body }: Message): RoutingRefusal | null {
    const errno = body.length < 4 ? 0 : Math.abs(int32(body));
    if (errno === 0) return null;
    const hasWords = (flags & NLM_F_ACK_TLVS) !== 0 && (type === NLMSG_DONE || (flags & NLM_F_CAPPED) !== 0);
    const words = hasWords
      ? attributesOf(body, type === NLMSG_DONE ? 4 : QUOTED_BYTES).get(NLMSGERR_ATTR_MSG)
      : undefined;
    return new RoutingRefusal(words === undefined ? this.names.describe(errno) : string(words), errno);
  }

  #nextSequence(): number {
    this.#sequence = (this.#sequence + 1) >>> 0;
    return this.#sequence;
  }
}
