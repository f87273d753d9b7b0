import { readFile, readdir, readlink } from 'node:fs/promises';
import type { Family, Transport } from '../../rules/index.js';
import { parseNetwork } from '../../rules/index.js';

/** A bound UDP socket or a listening TCP socket of this network namespace. */
export interface BoundSocket {
  readonly protocol: 'udp' | 'tcp';
  readonly family: Family;
  readonly address: string;
  /** 1..65535 */
  readonly port: number;
  readonly inode: number;
}

/** TCP_LISTEN, net/tcp_states.h, as /proc/net/tcp prints it. */
const LISTEN = '0A';

/**
 * Reads `/proc/net/{udp,tcp}{,6}` (proc(5)). A family that the kernel does not have is left out.
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

/** Parses one of the tables: columns are sl, local address, remote address, state, ..., inode (the tenth). */
export function parseSocketTable(text: string, protocol: 'udp' | 'tcp', family: Family): BoundSocket[] {
  const sockets: BoundSocket[] = [];
  for (const line of text.split('\n').slice(1)) {
    const columns = line.trim().split(/\s+/);
    const [hexAddress, hexPort] = (columns[1] ?? '').split(':');
    if (hexAddress === undefined || hexPort === undefined) continue;
    if (protocol === 'tcp' && columns[3] !== LISTEN) continue;
    const address = parseHexAddress(hexAddress);
    if (address === null) continue;
    sockets.push({ protocol, family, address, port: Number.parseInt(hexPort, 16), inode: Number(columns[9] ?? 0) });
  }
  return sockets;
}

/** Addresses are printed as 32-bit words in the byte order of the machine, which for every platform of Debian's today is little endian. */
function parseHexAddress(hex: string): string | null {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).toReversed().map((byte) => Number.parseInt(byte, 16)));
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, index) => (((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0)).toString(16));
  return bytes.length === 16 ? (parseNetwork(groups.join(':'))?.address ?? null) : null;
}

/**
 * The inodes of all sockets that an OpenVPN process holds; null where we may not look, or where the process of that id is not
 * OpenVPN: its number is of its own PID namespace.
 */
export async function socketInodesOf(pid: number): Promise<ReadonlySet<number> | null> {
  try {
    if ((await readFile(`/proc/${pid}/comm`, 'utf8')).trim() !== 'openvpn') return null;
    const links = await Promise.all(
      (await readdir(`/proc/${pid}/fd`)).map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')),
    );
    const inodes = links.map((link) => Number(/^socket:\[(\d+)\]$/.exec(link)?.[1] ?? 0)).filter((inode) => inode > 0);
    return new Set(inodes);
  } catch {
    return null;
  }
}

/** What the management interface told of the sockets; null for what it did not. */
export interface TransportHint {
  /** `state` names the port only under `--local`; events have it as `local_port_1`. */
  readonly port: number | null;
  /** `proto_1` of events. */
  readonly protocol: 'udp' | 'tcp' | null;
  /** Where the management interface itself listens, if on TCP. */
  readonly managementPort: number | null;
}

/**
 * The sockets on which OpenVPN serves its clients, by the best evidence there is: what OpenVPN said of them; what its
 * process holds; and where that is out of sight (a container beside it), the only socket that can be meant.
 *
 * @param inodes of the process, null when it cannot be looked at
 * @returns nothing when it cannot be told yet: the first event of a client will
 */
export function transportsOf(sockets: readonly BoundSocket[], inodes: ReadonlySet<number> | null, hint: TransportHint): Transport[] {
  const candidates = sockets.filter(({ protocol, port }) => port !== 0 && !(protocol === 'tcp' && port === hint.managementPort));
  const hinted = candidates.filter(({ port, protocol }) => port === hint.port && (hint.protocol === null || protocol === hint.protocol));
  if (hinted.length > 0) return unique(hinted);
  const owned = candidates.filter(({ inode }) => inodes?.has(inode) === true);
  if (owned.length > 0) return unique(owned);
  const reachable = unique(candidates.filter(({ address }) => !address.startsWith('127.') && address !== '::1'));
  return reachable.length === 1 ? reachable : [];
}

function unique(sockets: readonly BoundSocket[]): Transport[] {
  return [...new Map(sockets.map((socket) => [`${socket.protocol} ${socket.address} ${socket.port}`, toTransport(socket)])).values()];
}

function toTransport({ protocol, family, address, port }: BoundSocket): Transport {
  const isAny = address === '0.0.0.0' || address === '::';
  // A socket bound to `::` serves IPv4 too unless IPV6_V6ONLY is set, which /proc does not show.
  return { protocol, address: isAny ? null : address, families: isAny && family === 6 ? [4, 6] : [family], port };
}
