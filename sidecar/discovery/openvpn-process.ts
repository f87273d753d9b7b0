import { readFile } from 'node:fs/promises';

import type { Endpoint } from 'openvpn-management-client';
import { peerProcessOf } from '../system/peer-process.js';
import { readSocketUse } from './management-socket.js';
import { optionOf } from './openvpn-options.js';
import { holdersOf, openVpnOptionsOf } from './processes.js';

/** OpenVPN's process, in our PID namespace. */
export interface OpenVpnProcess {
  readonly pid: number;
  /**
   * Clock ticks since the machine started: it distinguishes a process from a later one with the same id (proc(5)).
   */
  readonly startedAt: string;
}

/**
 * Finds the process that is behind a management connection. Nobody is believed unseen: the kernel names the other end
 * of a unix socket; of a TCP socket the process is looked for that holds it; where sockets of others cannot be seen,
 * the options of the process that OpenVPN named have to name this endpoint. And the process must have the id that
 * OpenVPN told in its own PID namespace: between it and us there may be a program that serves its management interface
 * to several.
 *
 * @param told the answer to the command `pid`
 * @param descriptor of the connection's socket; borrowed
 * @returns null if that process is unknown
 */
export async function findOpenVpnProcess(
  endpoint: Endpoint,
  told: number,
  descriptor: number | undefined,
): Promise<OpenVpnProcess | null> {
  const peer = endpoint.kind === 'unix' && descriptor !== undefined ? await peerProcessOf(descriptor) : null;
  if (peer !== null) return identify(peer, told);
  const { listeners, accepted, peers } = await readSocketUse(endpoint);
  for (const { pid } of await holdersOf(endpoint.listen === true ? peers : new Set([...listeners, ...accepted]))) {
    const found = await identify(pid, told);
    if (found !== null) return found;
  }
  const named = await identify(told, told);
  return named !== null && (await namesEndpoint(named.pid, endpoint)) ? named : null;
}

/** True while that process runs: one that has ended, and waits for its parent to ask, does not. */
export async function isRunning({ pid, startedAt }: OpenVpnProcess): Promise<boolean> {
  const stat = await readStat(pid);
  return stat !== null && stat.startedAt === startedAt && !/[ZX]/.test(stat.state);
}

/** The process, if its id in its own PID namespace is the one that OpenVPN reported. */
async function identify(pid: number, told: number): Promise<OpenVpnProcess | null> {
  const [status, stat] = await Promise.all([readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''), readStat(pid)]);
  // From our namespace down to its own (proc_pid_status(5)).
  const ids = /^NStgid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/).map(Number);
  return stat === null || ids?.at(-1) !== told ? null : { pid, startedAt: stat.startedAt };
}

async function readStat(pid: number): Promise<{ readonly state: string; readonly startedAt: string } | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  // The name is in parentheses and may hold anything; behind it come the fields from the third on.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, startedAt] = [fields?.[0], fields?.[19]];
  return state === undefined || startedAt === undefined ? null : { state, startedAt };
}

/** True when the options of a process have its management interface there: no other program's have. */
export async function namesEndpoint(pid: number, endpoint: Endpoint): Promise<boolean> {
  const options = await openVpnOptionsOf(pid);
  const [place, second] = (options === null ? undefined : optionOf(options, 'management'))?.values ?? [];
  return endpoint.kind === 'unix' ? place === endpoint.path && second === 'unix' : second === String(endpoint.port);
}
