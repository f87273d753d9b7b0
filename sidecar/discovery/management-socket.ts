import { readFile } from 'node:fs/promises';

import type { Endpoint } from 'openvpn-management-client';
import { exec } from '../system/exec.js';

/** The sockets on both sides of a management socket, by inode, as the kernel lists them. */
export interface SocketUse {
  readonly listeners: ReadonlySet<number>;
  /** The server's ends of accepted connections: OpenVPN serves one. */
  readonly accepted: ReadonlySet<number>;
  /** Their peers, if they are on this machine. */
  readonly peers: ReadonlySet<number>;
}

/**
 * unix(7) as /proc/net/unix prints it: SS_UNCONNECTED with the flag __SO_ACCEPTCON listens, SS_CONNECTED was accepted.
 */
const CONNECTED = '03';
const ACCEPTCON = 0x10000;
/** net/tcp_states.h */
const TCP_ESTABLISHED = '01';
const TCP_LISTEN = '0A';

/**
 * Finds who listens and who is attached, without connecting: a connection is an event for OpenVPN, and the slot may be
 * taken. Only sockets of this network namespace are listed, under the path by which OpenVPN opened them.
 */
export async function readSocketUse(endpoint: Endpoint): Promise<SocketUse> {
  if (endpoint.kind === 'unix') {
    const use = unixSocketUse(await readTable('unix'), endpoint.path);
    // Only sock_diag(7) knows the peers of unix sockets.
    const listing =
      use.accepted.size === 0
        ? ''
        : await exec('ss', ['-x', '-n', '-H']).then(
            ({ stdout }) => stdout,
            () => '',
          );
    return { ...use, peers: unixPeers(listing, use.accepted) };
  }
  const tables = await Promise.all([readTable('tcp'), readTable('tcp6')]);
  return tcpSocketUse(tables, endpoint.port);
}

/** A table of /proc/net; empty if this kernel has none. */
function readTable(name: string): Promise<string> {
  return readFile(`/proc/net/${name}`, 'utf8').catch(() => '');
}

/** Parses /proc/net/unix: `Num: RefCount Protocol Flags Type St Inode Path`. Pure. */
export function unixSocketUse(table: string, path: string): Omit<SocketUse, 'peers'> {
  const listeners = new Set<number>();
  const accepted = new Set<number>();
  for (const line of table.split('\n')) {
    const match = /^[0-9a-f]+: [0-9A-F]+ [0-9A-F]+ ([0-9A-F]+) [0-9A-F]+ ([0-9A-F]{2}) +(\d+) (.*)$/.exec(line);
    if (match?.[4] !== path) continue;
    const inode = Number(match[3]);
    // A connection that waits to be accepted has no inode yet.
    if ((Number.parseInt(match[1] ?? '0', 16) & ACCEPTCON) !== 0) listeners.add(inode);
    else if (match[2] === CONNECTED && inode !== 0) accepted.add(inode);
  }
  return { listeners, accepted };
}

/** Finds the peers in the output of `ss -x`: `u_str ESTAB 0 0 /path 48008 * 48009`. Pure. */
export function unixPeers(listing: string, accepted: ReadonlySet<number>): ReadonlySet<number> {
  const pairs = listing.split('\n').map((line) => / (\d+) +\* (\d+)\s*$/.exec(line));
  return new Set(pairs.filter((pair) => accepted.has(Number(pair?.[1]))).map((pair) => Number(pair?.[2])));
}

/** Parses /proc/net/tcp and tcp6 for the local port. Pure. */
export function tcpSocketUse(tables: readonly string[], port: number): SocketUse {
  const listeners = new Set<number>();
  const accepted = new Set<number>();
  const peers = new Set<number>();
  for (const line of tables.flatMap((table) => table.split('\n').slice(1))) {
    const columns = line.trim().split(/\s+/);
    const [localPort, remotePort] = [columns[1], columns[2]].map((column) =>
      Number.parseInt(column?.split(':')[1] ?? '', 16),
    );
    const inode = Number(columns[9] ?? 0);
    if (columns[3] === TCP_LISTEN && localPort === port) listeners.add(inode);
    if (columns[3] !== TCP_ESTABLISHED || inode === 0) continue;
    if (localPort === port) accepted.add(inode);
    if (remotePort === port) peers.add(inode);
  }
  return { listeners, accepted, peers };
}
