/**
 * The border to a packet socket, of which Node has no kind: whole Ethernet frames to a device.
 *
 * @see packet(7)
 */
import { DescriptorGuard, loadKoffi } from 'nftables-json/netlink';

const AF_PACKET = 17;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0o4000 | 0o2000000;
const ETHER_HEADER = 14;

/** A socket in the network namespace in which it was opened, which receives nothing. The caller closes it. */
export interface PacketSocket {
  /**
   * Sends one Ethernet frame without waiting.
   *
   * @param ifindex of the device
   * @returns false if the kernel did not take it: the device is down, or its queue is full; or the socket is closed
   */
  send(ifindex: number, frame: Uint8Array): boolean;
  /** Idempotent. */
  close(): void;
}

/** @returns why there is none, in words, if CAP_NET_RAW, the address family or koffi is missing */
export async function openPacketSocket(): Promise<PacketSocket | { readonly missing: string }> {
  const koffi = await loadKoffi().catch(() => null);
  if (koffi === null) return { missing: 'koffi cannot be loaded' };
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int domain, int type, int protocol)');
  const sendto = libc.func(
    'long sendto(int fd, const uint8_t *buf, size_t len, int flags, const uint8_t *address, uint32_t size)',
  );
  const close = libc.func('int close(int fd)');
  // Protocol 0: no frame is received.
  const fd: unknown = socket(AF_PACKET, SOCK_RAW_NONBLOCK_CLOEXEC, 0);
  if (typeof fd !== 'number' || fd < 0)
    return { missing: `a packet socket needs CAP_NET_RAW and the address family AF_PACKET (errno ${koffi.errno()})` };
  const guard = new DescriptorGuard(() => close(fd));
  return {
    send(ifindex, frame) {
      if (guard.isClosed) return false;
      const address = addressOf(ifindex, frame);
      const sent: unknown = sendto(fd, frame, frame.length, 0, address, address.length);
      return typeof sent === 'number' && sent === frame.length;
    },
    close() {
      guard.end();
    },
  };
}

/** `struct sockaddr_ll`: the kernel reads the device from it, and the protocol, which is that of the frame. */
function addressOf(ifindex: number, frame: Uint8Array): Buffer {
  const address = Buffer.alloc(20);
  new Uint16Array(address.buffer, address.byteOffset, 1)[0] = AF_PACKET;
  address.set(frame.subarray(ETHER_HEADER - 2, ETHER_HEADER), 2);
  new Int32Array(address.buffer, address.byteOffset + 4, 1)[0] = ifindex;
  address[11] = 6;
  address.set(frame.subarray(0, 6), 12);
  return address;
}
