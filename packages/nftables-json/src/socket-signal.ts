/**
 * Tells the event loop that a socket can be read which libuv does not know: Node polls streams, and a netlink socket is
 * none (`uv_guess_handle()`).
 *
 * The kernel sends SIGIO to the main thread when something arrives, and Node calls the listeners of the signal. No
 * thread waits, nothing is polled, and the process sleeps in between.
 *
 * @see fcntl(2) F_SETOWN_EX, O_ASYNC; socket(7), "Signals"
 */
import { isMainThread } from 'node:worker_threads';
import type { LibraryHandle } from 'koffi';
import { NftError } from './nft-error.js';

const F_GETFL = 3;
const F_SETFL = 4;
const F_SETOWN_EX = 15;
const F_OWNER_TID = 0;
const O_ASYNC = 0o20000;

const listeners = new Set<() => void>();
let isInstalled = false;

/**
 * Calls `listener` in a turn of the event loop after something arrived at the socket, and once at first. One signal may
 * stand for several datagrams, or for one of another socket: the listener takes all there is, or finds nothing.
 *
 * @param descriptor of a socket that does not block; borrowed until the result was called
 * @returns ends it
 * @throws NftError UNAVAILABLE in a worker thread, which gets no signals, and if the kernel refuses
 */
export function listenForReadiness(libc: LibraryHandle, descriptor: number, listener: () => void): () => void {
  if (!isMainThread) {
    throw new NftError('UNAVAILABLE', 'a worker thread gets no signals');
  }
  const control = libc.func('int fcntl(int fd, int command, long value)');
  const setOwner = libc.func('fcntl', 'int', ['int', 'int', 'void *']);
  const flags: unknown = control(descriptor, F_GETFL, 0);
  // Before the signal can come: its default is to end the process. The handler stays for that reason, too.
  if (!isInstalled) {
    process.on('SIGIO', () => {
      for (const listen of listeners) listen();
    });
    isInstalled = true;
  }
  // The main thread has the number of the process. Only it is interrupted: others may be in calls that take it ill.
  const owner = Buffer.from(Int32Array.of(F_OWNER_TID, process.pid).buffer);
  if (
    typeof flags !== 'number' ||
    setOwner(descriptor, F_SETOWN_EX, owner) !== 0 ||
    control(descriptor, F_SETFL, flags | O_ASYNC) !== 0
  ) {
    throw new NftError('UNAVAILABLE', 'the kernel does not signal that a socket can be read');
  }
  listeners.add(listener);
  // What arrived before the signal was asked for.
  setImmediate(() => {
    if (listeners.has(listener)) listener();
  });
  return () => {
    listeners.delete(listener);
    control(descriptor, F_SETFL, flags);
  };
}
