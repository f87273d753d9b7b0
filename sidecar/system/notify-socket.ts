import { GwmarkError } from '../errors.js';
import { loadKoffi } from 'nftables-json/netlink';

const AF_UNIX = 1;
const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000;
const MSG_NOSIGNAL = 0x4000;
/** `sizeof(sun_path)` in unix(7). */
const PATH_BYTES = 108;

/**
 * The socket of the service manager, of which Node has no kind: datagrams over AF_UNIX. The caller closes it.
 */
export interface NotifySocket {
  /** Sends one datagram of lines to the service manager without waiting. @throws GwmarkError NOTIFY_FAILED */
  send(text: string): void;
  close(): void;
}

/**
 * Opens the socket that `NOTIFY_SOCKET` names: an absolute path, or `@name` in the abstract namespace.
 *
 * @see sd_notify(3), unix(7)
 * @throws GwmarkError NOTIFY_FAILED if the name is none of these, koffi cannot be loaded or no socket is
 * be had
 */
export async function openNotifySocket(name: string): Promise<NotifySocket> {
  const address = addressOf(name);
  const koffi = await loadKoffi().catch((cause: unknown) => {
    throw new GwmarkError('NOTIFY_FAILED', `cannot write to ${name}: koffi cannot be loaded`, {
      cause,
    });
  });
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int domain, int type, int protocol)');
  const sendto = libc.func(
    'long sendto(int fd, const uint8_t *buf, size_t len, int flags, const uint8_t *address, uint32_t size)',
  );
  const close = libc.func('int close(int fd)');
  const fd: unknown = socket(AF_UNIX, SOCK_DGRAM_NONBLOCK_CLOEXEC, 0);
  if (typeof fd !== 'number' || fd < 0)
    throw new GwmarkError('NOTIFY_FAILED', `a socket for ${name}: errno ${koffi.errno()}`);

  return {
    send(text) {
      const bytes = Buffer.from(`${text}\n`, 'utf8');
      const sent: unknown = sendto(fd, bytes, bytes.length, MSG_NOSIGNAL, address, address.length);
      if (typeof sent !== 'number' || sent < 0)
        throw new GwmarkError('NOTIFY_FAILED', `send to ${name}: errno ${koffi.errno()}`);
    },
    close() {
      close(fd);
    },
  };
}

/** `struct sockaddr_un`; an abstract name begins with a zero byte and ends with the address. */
function addressOf(name: string): Buffer {
  const isAbstract = name.startsWith('@');
  const path = isAbstract ? Buffer.from(`\0${name.slice(1)}`) : Buffer.from(`${name}\0`);
  if (!/^[@/]./.test(name) || path.length > PATH_BYTES) {
    throw new GwmarkError(
      'NOTIFY_FAILED',
      `$NOTIFY_SOCKET is ${name}: expected an absolute path or @ and a name, of at most ${PATH_BYTES - 1} bytes`,
    );
  }
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX);
  return Buffer.concat([family, path]);
}
