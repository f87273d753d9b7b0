import { readSync } from 'node:fs';
import type { Socket } from 'node:net';

const READ_BYTES = 64 * 1024;

/**
 * Lets a socket that fails deliver first what its peer sent before it hung up. Node destroys a socket whose write
 * failed (EPIPE), and drops what the process has not read yet: the last messages of an OpenVPN that ends (EXITING)
 * while a command is sent to it.
 *
 * @param socket one that nobody has destroyed; `deliver` takes the place of its listeners to `data` when it fails
 * @param deliver called with each chunk that was not read, in order, before `error` and `close` are emitted; it must
 *   not throw
 */
export function deliverUnread(socket: Socket, deliver: (chunk: Buffer) => void): void {
  const destroy = socket.destroy.bind(socket);
  socket.destroy = (error) => {
    // Who destroys it without an error wants no more of it.
    if (error instanceof Error && !socket.destroyed) {
      socket.removeAllListeners('data');
      for (const chunk of unread(socket)) deliver(chunk);
    }
    return destroy(error);
  };
}

/**
 * The file descriptor of a socket; undefined once it is closed, and where Node keeps none. Borrowed: it is the
 * socket's to close.
 */
export function descriptorOf(socket: Socket): number | undefined {
  // Node has no public name for it; libuv's stream handles have it on every POSIX system (lib/net.js,
  // src/stream_base.cc GetFD).
  const { _handle: handle } = socket as { readonly _handle?: { readonly fd?: number } | null };
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
}

/** What Node has read and nobody took, where the socket is paused, and then what the kernel still has. */
function* unread(socket: Socket): Generator<Buffer> {
  const buffered = socket.read() as Buffer | null;
  if (buffered !== null) yield buffered;
  const descriptor = descriptorOf(socket);
  if (descriptor === undefined) return;
  for (;;) {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    let count: number;
    try {
      // The descriptor does not block (uv__nonblock): EAGAIN says that there is no more.
      count = readSync(descriptor, buffer);
    } catch {
      return;
    }
    if (count === 0) return;
    yield buffer.subarray(0, count);
  }
}
