import type { AnnouncedAddress } from '../../rules/index.js';
import type { Logger } from '../log/logger.js';
import type { IpDevice } from '../routing/iproute.js';
import { openPacketSocket, type PacketSocket } from '../system/packet-socket.js';
import { announcementFrame } from './announcement-frames.js';

/**
 * Tells the hosts on a link which MAC an announced address has now, so that they replace what they had in their
 * neighbour tables. It needs CAP_NET_RAW; without it, they find out when their entry expires.
 */
export class AnnouncementSender {
  readonly #logger: Logger;
  #socket: PacketSocket | null = null;
  #missing: string | null = null;
  #isClosed = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Why nothing can be sent, found out when something was to be; null if it can. */
  get missing(): string | null {
    return this.#missing;
  }

  /** @param devices by name, with their current index and MAC */
  async send(addresses: readonly AnnouncedAddress[], devices: ReadonlyMap<string, IpDevice>): Promise<void> {
    if (addresses.length === 0 || this.#isClosed) return;
    const socket = this.#socket ?? (await this.#open());
    if (socket === null) return;
    for (const address of addresses) {
      const device = devices.get(address.device);
      if (device?.address !== undefined) socket.send(device.ifindex, announcementFrame(address, device.address));
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.close();
    this.#socket = null;
  }

  async #open(): Promise<PacketSocket | null> {
    const opened = await openPacketSocket();
    if ('missing' in opened) {
      if (this.#missing === null) this.#logger.warn('announce.silent', { reason: opened.missing });
      this.#missing = opened.missing;
      return null;
    }
    this.#missing = null;
    if (this.#isClosed) opened.close();
    this.#socket = this.#isClosed ? null : opened;
    return this.#socket;
  }
}
