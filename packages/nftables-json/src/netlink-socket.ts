/**
 * The border to a netlink socket of the netfilter subsystem, through koffi.
 *
 * The kernel serves such a request inside send(2): all answers wait when it returns. So nothing here waits or needs a
 * thread.
 *
 * @see netlink(7); net/netfilter/nfnetlink.c nfnetlink_rcv()
 */
import { NftError } from './nft-error.js';

const AF_NETLINK = 16;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0o4000 | 0o2000000;
const NETLINK_NETFILTER = 12;
const SOL_NETLINK = 270;
/** A refusal quotes the header of the request instead of the whole. */
const NETLINK_CAP_ACK = 10;
const EAGAIN = 11;

/** A socket in the network namespace in which it was opened. The caller closes it. */
export interface NetlinkSocket {
  /**
   * Gives the first `length` bytes to the kernel as one datagram, which has served it when this returns. False: it has
   * not seen them.
   */
  send(bytes: Uint8Array, length: number): boolean;
  /**
   * Takes the next answer, cut to the room there is. Its length; `none` when all were taken; `lost` when the kernel
   * dropped some.
   */
  receive(into: Uint8Array): number | 'none' | 'lost';
  close(): void;
}

/** @throws NftError UNAVAILABLE if koffi or the socket is missing */
export async function openNetlinkSocket(): Promise<NetlinkSocket> {
  const koffi = await import('koffi').catch((cause: unknown) => {
    throw new NftError('UNAVAILABLE', 'koffi cannot be loaded', { cause });
  });
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int domain, int type, int protocol)');
  const setsockopt = libc.func('int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t len)');
  const send = libc.func('long send(int fd, const uint8_t *buf, size_t len, int flags)');
  const receive = libc.func('long recv(int fd, _Out_ uint8_t *buf, size_t len, int flags)');
  const close = libc.func('int close(int fd)');

  const fd: unknown = socket(AF_NETLINK, SOCK_RAW_NONBLOCK_CLOEXEC, NETLINK_NETFILTER);
  if (typeof fd !== 'number' || fd < 0) {
    throw new NftError('UNAVAILABLE', `netlink socket: errno ${koffi.errno()}`);
  }
  // Kernels before 4.3 refuse this option, and quote more than is read.
  const enabled = Buffer.from(Int32Array.of(1).buffer);
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, enabled, enabled.length);

  return {
    send(bytes, length) {
      const sent: unknown = send(fd, bytes, length, 0);
      return typeof sent === 'number' && sent >= 0;
    },
    receive(into) {
      const received: unknown = receive(fd, into, into.length, 0);
      if (typeof received === 'number' && received >= 0) {
        return received;
      }
      return koffi.errno() === EAGAIN ? 'none' : 'lost';
    },
    close() {
      close(fd);
    },
  };
}
