/** One Ethernet frame, as far as the tests look into it. Addresses are canonical text. */
export interface Frame {
  /** Seconds since the epoch, microsecond resolution. */
  readonly timeSeconds: number;
  readonly sourceMac: string;
  readonly destinationMac: string;
  readonly etherType: number;
  /** Bytes on the wire, Ethernet header included. */
  readonly length: number;
  /** The frame itself, as far as it was recorded. */
  readonly bytes: Buffer;
  readonly ip?: IpHeader;
  /** TCP and UDP only. */
  readonly ports?: { readonly source: number; readonly destination: number };
  /** ICMP and ICMPv6; `target` is the address that a neighbour solicitation or advertisement is about. */
  readonly icmp?: { readonly type: number; readonly code: number; readonly target?: string };
  readonly arp?: {
    readonly operation: number;
    readonly senderMac: string;
    readonly sender: string;
    readonly target: string;
  };
}

/** The fields of an IPv4 or IPv6 header. */
export interface IpHeader {
  readonly version: 4 | 6;
  readonly source: string;
  readonly destination: string;
  /** IP protocol number of the payload (IPv6 extension headers are not followed). */
  readonly protocol: number;
  /** TTL or hop limit. */
  readonly ttl: number;
}

/** IP protocol numbers that the tests name. */
export const PROTOCOL = { icmp: 1, tcp: 6, udp: 17, icmp6: 58 } as const;

const PCAP_FILE_HEADER_BYTES = 24;
const PCAP_RECORD_HEADER_BYTES = 16;
const PCAP_MAGIC_MICROSECONDS = 0xa1b2c3d4;
const ETHERNET_HEADER_BYTES = 14;

/** Incremental reader of a little-endian, microsecond pcap stream of Ethernet frames (`tcpdump -w -`). */
export class PcapReader {
  #rest: Buffer = Buffer.alloc(0);
  #isPastHeader = false;

  /** Returns the frames that `chunk` completes. @throws Error when the stream is no such pcap. */
  push(chunk: Buffer): Frame[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const frames: Frame[] = [];
    if (!this.#isPastHeader) {
      if (this.#rest.length < PCAP_FILE_HEADER_BYTES) return frames;
      if (this.#rest.readUInt32LE(0) !== PCAP_MAGIC_MICROSECONDS)
        throw new Error('capture: not a little-endian pcap stream');
      if (this.#rest.readUInt32LE(20) !== 1) throw new Error('capture: the link type is not Ethernet');
      this.#rest = this.#rest.subarray(PCAP_FILE_HEADER_BYTES);
      this.#isPastHeader = true;
    }
    while (this.#rest.length >= PCAP_RECORD_HEADER_BYTES) {
      const captured = this.#rest.readUInt32LE(8);
      const end = PCAP_RECORD_HEADER_BYTES + captured;
      if (this.#rest.length < end) break;
      const timeSeconds = this.#rest.readUInt32LE(0) + this.#rest.readUInt32LE(4) / 1e6;
      frames.push(
        parseFrame(this.#rest.subarray(PCAP_RECORD_HEADER_BYTES, end), this.#rest.readUInt32LE(12), timeSeconds),
      );
      this.#rest = this.#rest.subarray(end);
    }
    return frames;
  }
}

function parseFrame(bytes: Buffer, length: number, timeSeconds: number): Frame {
  const etherType = bytes.readUInt16BE(12);
  const base = { timeSeconds, length, bytes, etherType, destinationMac: mac(bytes, 0), sourceMac: mac(bytes, 6) };
  const payload = bytes.subarray(ETHERNET_HEADER_BYTES);
  switch (etherType) {
    case 0x0806:
      return {
        ...base,
        arp: {
          operation: payload.readUInt16BE(6),
          senderMac: mac(payload, 8),
          sender: ipv4(payload, 14),
          target: ipv4(payload, 24),
        },
      };
    case 0x0800: {
      const ip: IpHeader = {
        version: 4,
        source: ipv4(payload, 12),
        destination: ipv4(payload, 16),
        protocol: payload.readUInt8(9),
        ttl: payload.readUInt8(8),
      };
      const isFirstFragment = (payload.readUInt16BE(6) & 0x1fff) === 0;
      return { ...base, ip, ...(isFirstFragment ? inner(ip, payload.subarray((payload.readUInt8(0) & 15) * 4)) : {}) };
    }
    case 0x86dd: {
      const ip: IpHeader = {
        version: 6,
        source: ipv6(payload, 8),
        destination: ipv6(payload, 24),
        protocol: payload.readUInt8(6),
        ttl: payload.readUInt8(7),
      };
      return { ...base, ip, ...inner(ip, payload.subarray(40)) };
    }
    default:
      return base;
  }
}

function inner(ip: IpHeader, bytes: Buffer): Pick<Frame, 'ports' | 'icmp'> {
  if (bytes.length < 4) return {};
  switch (ip.protocol) {
    case PROTOCOL.tcp:
    case PROTOCOL.udp:
      return { ports: { source: bytes.readUInt16BE(0), destination: bytes.readUInt16BE(2) } };
    case PROTOCOL.icmp:
      return { icmp: { type: bytes.readUInt8(0), code: bytes.readUInt8(1) } };
    case PROTOCOL.icmp6: {
      const type = bytes.readUInt8(0);
      const isNeighbour = (type === 135 || type === 136) && bytes.length >= 24;
      return { icmp: { type, code: bytes.readUInt8(1), ...(isNeighbour ? { target: ipv6(bytes, 8) } : {}) } };
    }
    default:
      return {};
  }
}

function mac(bytes: Buffer, offset: number): string {
  return [...bytes.subarray(offset, offset + 6)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

function ipv4(bytes: Buffer, offset: number): string {
  return [...bytes.subarray(offset, offset + 4)].join('.');
}

function ipv6(bytes: Buffer, offset: number): string {
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(offset + index * 2).toString(16));
  // The URL parser knows the canonical form of RFC 5952.
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
