import { loadKoffi } from 'nftables-json/netlink';

/**
 * `SOL_SOCKET` and `SO_PEERCRED` of asm/socket.h; other architectures of Debian's have these, too, except powerpc's
 * option.
 */
const SOL_SOCKET = 1;
const SO_PEERCRED = process.arch === 'ppc64' ? 21 : 17;
/** `struct ucred`: pid, uid, gid, four bytes each. */
const UCRED_BYTES = 12;

type GetSockOpt = (descriptor: number, level: number, name: number, value: Buffer, length: Uint32Array) => number;
let loaded: Promise<GetSockOpt | null> | undefined;

/**
 * The process at the other end of a connected unix socket, as the kernel noted it when that one began to listen:
 * unix(7), SO_PEERCRED. The kernel translates its id into our PID namespace. No privilege is needed.
 *
 * @param descriptor of an open socket; borrowed
 * @returns null if it is unknown: no unix socket, a process outside of our PID namespace, or koffi cannot be
 * loaded
 */
export async function peerProcessOf(descriptor: number): Promise<number | null> {
  loaded ??= load();
  const getSockOpt = await loaded;
  if (getSockOpt === null) return null;
  const credentials = Buffer.alloc(UCRED_BYTES);
  const length = new Uint32Array([UCRED_BYTES]);
  if (getSockOpt(descriptor, SOL_SOCKET, SO_PEERCRED, credentials, length) !== 0 || length[0] !== UCRED_BYTES)
    return null;
  const [pid = 0] = new Int32Array(credentials.buffer, credentials.byteOffset, 1);
  return pid > 0 ? pid : null;
}

async function load(): Promise<GetSockOpt | null> {
  try {
    const koffi = await loadKoffi();
    // What the process itself is linked with: the C library's name differs between distributions.
    return koffi.load(null).func('int getsockopt(int sockfd, int level, int optname, void *optval, uint32_t *optlen)');
  } catch {
    return null;
  }
}
