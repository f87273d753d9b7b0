/**
 * The border to netlink sockets, through koffi.
 *
 * The kernel serves a request inside send(2): all answers wait when it returns. So nothing here waits. What takes the
 * kernel long, such as a listing, can be left to a thread.
 *
 * @see netlink(7); net/netfilter/nfnetlink.c nfnetlink_rcv(), net/netlink/af_netlink.c netlink_unicast()
 */
import type { KoffiFunc } from 'koffi';
import { DescriptorGuard } from './descriptor-guard.js';
import { loadKoffi } from './koffi.js';
import { NftError } from './nft-error.js';
import { listenForReadiness } from './socket-signal.js';

const AF_NETLINK = 16;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0o4000 | 0o2000000;
const NETLINK_NETFILTER = 12;
/** `struct sockaddr_nl`, with port 0: the kernel chooses one. */
const ANY_PORT = Buffer.from([...new Uint8Array(Uint16Array.of(AF_NETLINK).buffer), ...new Uint8Array(10)]);
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
/** A refusal quotes the header of the request instead of the whole. */
const NETLINK_CAP_ACK = 10;
/** A refusal says why, in words. */
const NETLINK_EXT_ACK = 11;
/** A listing is of what its request asks for: rtnetlink ignores parts of it otherwise. */
const NETLINK_GET_STRICT_CHK = 12;
const EAGAIN = 11;

export interface NetlinkSocketOptions {
  /** `NETLINK_*` of linux/netlink.h; default NETLINK_NETFILTER. */
  readonly protocol?: number;
  /** Multicast groups to listen to; default none. */
  readonly groups?: readonly number[];
  /** Space for what was not received yet; default that of the kernel. Needs CAP_NET_ADMIN to be more than its maximum. */
  readonly receiveBytes?: number;
  /** Refusals say why, and listings are strict. Default false. */
  readonly isExplicit?: boolean;
}

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
  /** As `send`, on a thread of koffi's pool; the bytes must stay as they are until it resolves. */
  sendAside(bytes: Uint8Array, length: number): Promise<boolean>;
  /** As `receive`, on a thread of koffi's pool, for an answer that is there: `lost` also if there is none. */
  receiveAside(into: Uint8Array): Promise<number | 'lost'>;
  /**
   * Calls `listener` when there is something to receive, perhaps once for several datagrams: it takes all. Once a
   * socket, and in the main thread only, because signals are its own.
   *
   * @throws NftError UNAVAILABLE
   */
  onReadable(listener: () => void): void;
  /**
   * Idempotent. What is called after that does nothing: `false`, `none`, `lost`. A call on a thread goes on to its end.
   */
  close(): void;
}

/** @throws NftError UNAVAILABLE if koffi or the socket is missing */
export async function openNetlinkSocket(options: NetlinkSocketOptions = {}): Promise<NetlinkSocket> {
  const { protocol = NETLINK_NETFILTER, groups = [], receiveBytes, isExplicit = false } = options;
  const koffi = await loadKoffi();
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int domain, int type, int protocol)');
  const setsockopt = libc.func('int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t len)');
  const bind = libc.func('int bind(int fd, const uint8_t *address, uint32_t len)');
  const send = libc.func('long send(int fd, const uint8_t *buf, size_t len, int flags)');
  const receive = libc.func('long recv(int fd, _Out_ uint8_t *buf, size_t len, int flags)');
  const close = libc.func('int close(int fd)');

  const fd: unknown = socket(AF_NETLINK, SOCK_RAW_NONBLOCK_CLOEXEC, protocol);
  if (typeof fd !== 'number' || fd < 0) {
    throw new NftError('UNAVAILABLE', `netlink socket: errno ${koffi.errno()}`);
  }
  const setOption = (level: number, name: number, value: number): boolean => {
    const bytes = Buffer.from(Int32Array.of(value).buffer);
    return setsockopt(fd, level, name, bytes, bytes.length) === 0;
  };
  // Kernels before 4.3 refuse this option, and quote more than is read.
  setOption(SOL_NETLINK, NETLINK_CAP_ACK, 1);
  if (isExplicit) {
    setOption(SOL_NETLINK, NETLINK_EXT_ACK, 1);
    setOption(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
  }
  // Without the capability, a listing takes the place of what is lost.
  if (receiveBytes !== undefined) {
    setOption(SOL_SOCKET, SO_RCVBUFFORCE, receiveBytes);
  }
  // A socket without a port gets no multicast: do_one_broadcast() takes it for the sender.
  const hasPort = groups.length === 0 || bind(fd, ANY_PORT, ANY_PORT.length) === 0;
  for (const group of groups) {
    if (!hasPort || !setOption(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)) {
      const errno = koffi.errno();
      close(fd);
      throw new NftError('UNAVAILABLE', `netlink group ${group}: errno ${errno}`);
    }
  }
  let stopListening: (() => void) | undefined;

  const guard = new DescriptorGuard(() => close(fd));

  return {
    send(bytes, length) {
      if (guard.isClosed) {
        return false;
      }
      const sent: unknown = send(fd, bytes, length, 0);
      return typeof sent === 'number' && sent >= 0;
    },
    receive(into) {
      if (guard.isClosed) {
        return 'none';
      }
      const received: unknown = receive(fd, into, into.length, 0);
      if (typeof received === 'number' && received >= 0) {
        return received;
      }
      return koffi.errno() === EAGAIN ? 'none' : 'lost';
    },
    async sendAside(bytes, length) {
      return !guard.isClosed && (await guard.hold(() => aside(send, fd, bytes, length))) >= 0;
    },
    async receiveAside(into) {
      const received = guard.isClosed ? -1 : await guard.hold(() => aside(receive, fd, into, into.length));
      return received >= 0 ? received : 'lost';
    },
    onReadable(listener) {
      stopListening = listenForReadiness(libc, fd, listener);
    },
    close() {
      stopListening?.();
      stopListening = undefined;
      guard.end();
    },
  };
}

/** send(2) or recv(2): a descriptor, bytes, their number, flags. */
type OnDescriptor = (fd: number, bytes: Uint8Array, length: number, flags: number) => number;

/** A call of send(2) or recv(2) on a thread of koffi's pool. Rejects if koffi cannot make it. */
function aside(call: KoffiFunc<OnDescriptor>, fd: number, bytes: Uint8Array, length: number): Promise<number> {
  return new Promise((resolve, reject) => {
    call.async(fd, bytes, length, 0, (error: Error | null, result: number) => {
      if (error) {
        reject(error);
      } else {
        resolve(result);
      }
    });
  });
}
