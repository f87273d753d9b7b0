import { once } from 'node:events';
import { promises as files } from 'node:fs';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import type { Place } from './endpoint.js';

/** Why a server cannot listen. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
  /** Another program answers there. */
  readonly isInUse: boolean;

  constructor(message: string, isInUse: boolean, options?: ErrorOptions) {
    super(message, options);
    this.isInUse = isInUse;
  }
}

const DIRECTORY_MODE = 0o755;

/**
 * Starts a server that the caller owns and closes. The directory of a unix socket is made (0755) if it is missing,
 * and the file of a socket that no process serves is replaced.
 *
 * @param mode file mode of a unix socket, 0..0o777: the file has it from its first moment
 * @throws ListenError
 */
export async function listenAt(server: Server, place: Place, mode: number): Promise<void> {
  try {
    if (place.kind === 'tcp') await startListening(server, () => server.listen(place.port, place.host));
    else await listenOnPath(server, place.path, mode);
  } catch (error) {
    if (error instanceof ListenError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ListenError(reason, hasCode(error, 'EADDRINUSE'), { cause: error });
  }
}

async function listenOnPath(server: Server, path: string, mode: number): Promise<void> {
  await files.mkdir(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
  const listen = (): void => {
    // bind(2) makes the file, within the call.
    const before = process.umask(0o777 & ~mode);
    try {
      server.listen(path);
    } finally {
      process.umask(before);
    }
  };
  try {
    await startListening(server, listen);
  } catch (error) {
    if (!hasCode(error, 'EADDRINUSE')) throw error;
    await removeStale(path);
    await startListening(server, listen);
  }
}

async function startListening(server: Server, listen: () => void): Promise<void> {
  listen();
  await once(server, 'listening');
}

/** Removes a socket file that no process serves; any other existing file is an error. */
async function removeStale(path: string): Promise<void> {
  if (!(await files.lstat(path)).isSocket()) throw new ListenError('a file that is not a socket exists there', false);
  if (await isServed(path)) throw new ListenError('another program answers there', true);
  await files.rm(path, { force: true });
}

/** A socket whose process is gone refuses (ECONNREFUSED); one that vanished meanwhile counts as refused. */
async function isServed(path: string): Promise<boolean> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    if (hasCode(error, 'ECONNREFUSED') || hasCode(error, 'ENOENT')) return false;
    // EAGAIN: its queue is full, so there is a process.
    if (hasCode(error, 'EAGAIN')) return true;
    throw error;
  } finally {
    socket.destroy();
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
