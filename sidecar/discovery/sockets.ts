import { readFile, readdir, readlink } from 'node:fs/promises';
import { endianness } from 'node:os';

import type { Family, Transport } from '../../rules/index.js';
import { parseNetwork } from '../../rules/index.js';
import { eachOf } from '../system/bounded.js';

/** A bound UDP socket or a listening TCP socket of this network namespace. */
export interface BoundSocket {
  readonly protocol: 'udp' | 'tcp';
  readonly family: Family;
  readonly address: string;
  /** 1..65535 */
  readonly port: number;
  readonly inode: number;
  /** A UDP socket that is connected to one peer, so not a server's. */
  readonly isConnected: boolean;
}

/** TCP_LISTEN, net/tcp_states.h, as /proc/net/tcp prints it. */
const LISTEN = '0A';

/**
 * Reads `/proc/net/{udp,tcp}{,6}` (proc(5)). Families that the kernel does not have are omitted.
 */
export async function readBoundSockets(): Promise<BoundSocket[]> {
  const sources = [
    ['udp', 4, '/proc/net/udp'],
    ['udp', 6, '/proc/net/udp6'],
    ['tcp', 4, '/proc/net/tcp'],
    ['tcp', 6, '/proc/net/tcp6'],
  ] as const;
  const tables = await Promise.all(
    sources.map(async ([protocol, family, path]) => {
      const text = await readFile(path, 'utf8').catch(() => '');
      return parseSocketTable(text, protocol, family);
    }),
  );
  return tables.flat();
}

/**
 * Parses one of the tables: columns are sl, local address, remote address, state, ..., inode (the tenth).
 *
 * @param byteOrder of the machine that printed it. Default: this one's.
 */
export function parseSocketTable(
  text: string,
  protocol: 'udp' | 'tcp',
  family: Family,
  byteOrder: 'LE' | 'BE' = endianness(),
): BoundSocket[] {
  const sockets: BoundSocket[] = [];
  for (const line of text.split('\n').slice(1)) {
    const columns = line.trim().split(/\s+/);
    const [hexAddress, hexPort] = (columns[1] ?? '').split(':');
    if (hexAddress === undefined || hexPort === undefined) continue;
    if (protocol === 'tcp' && columns[3] !== LISTEN) continue;
    const address = parseHexAddress(hexAddress, byteOrder);
    if (address === null) continue;
    sockets.push({
      protocol,
      family,
      address,
      port: Number.parseInt(hexPort, 16),
      inode: Number(columns[9] ?? 0),
      isConnected: columns[2]?.endsWith(':0000') === false,
    });
  }
  return sockets;
}

/**
 * Addresses are in network byte order, and printed as 32-bit numbers of the machine: net/ipv4/udp.c udp4_format_sock
 * (`%08X`). Ports are printed in hexadecimal, high byte first.
 */
function parseHexAddress(hex: string, byteOrder: 'LE' | 'BE'): string | null {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => {
    const printed = (word.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16));
    return byteOrder === 'LE' ? printed.toReversed() : printed;
  });
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0)).toString(16),
  );
  return bytes.length === 16 ? (parseNetwork(groups.join(':'))?.address ?? null) : null;
}

/**
 * The inodes of all sockets that a process holds; null if we may not look: that takes the right to trace it,
 * ptrace(2).
 */
export async function socketInodesOf(pid: number): Promise<ReadonlySet<number> | null> {
  const links = await readDescriptors(`/proc/${pid}/fd`, readlink);
  return links === null
    ? null
    : new Set(links.map((link) => Number(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? 0)).filter((inode) => inode > 0));
}

/**
 * The tunnel devices that a process holds by a descriptor (drivers/net/tun.c tun_chr_show_fdinfo); null if we may
 * not look.
 */
export async function tunDevicesOf(pid: number): Promise<readonly string[] | null> {
  const texts = await readDescriptors(`/proc/${pid}/fdinfo`, (file) => readFile(file, 'utf8'));
  return texts === null
    ? null
    : [...new Set(texts.map((text) => /^iff:\s+(\S+)$/m.exec(text)?.[1]).filter((name) => name !== undefined))];
}

/**
 * Reads every entry; except those that are closed meanwhile. Names of descriptors may be listed where what they
 * are may not be read.
 */
async function readDescriptors(
  directory: string,
  read: (file: string) => Promise<string>,
): Promise<readonly string[] | null> {
  try {
    return await eachOf(await readdir(directory), (name) =>
      read(`${directory}/${name}`).catch((error: unknown) => {
        if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
        return '';
      }),
    );
  } catch {
    return null;
  }
}

/**
 * The sockets of a process on which it serves, its management interface left out. @param managementPort null when that
 * is not on TCP
 */
export function servedBy(
  inodes: ReadonlySet<number>,
  sockets: readonly BoundSocket[],
  managementPort: number | null,
): BoundSocket[] {
  return sockets.filter(
    ({ inode, protocol, port, isConnected }) =>
      inodes.has(inode) && port !== 0 && !isConnected && !(protocol === 'tcp' && port === managementPort),
  );
}

/** The transports that these sockets are, each once. */
export function transportsOf(sockets: readonly BoundSocket[]): Transport[] {
  return [
    ...new Map(
      sockets.map((socket) => [`${socket.protocol} ${socket.address} ${socket.port}`, toTransport(socket)]),
    ).values(),
  ];
}

function toTransport({ protocol, family, address, port }: BoundSocket): Transport {
  const isAny = address === '0.0.0.0' || address === '::';
  // A socket bound to `::` serves IPv4 too unless IPV6_V6ONLY is set, which /proc does not show.
  return { protocol, address: isAny ? null : address, families: isAny && family === 6 ? [4, 6] : [family], port };
}
