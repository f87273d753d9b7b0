import { endianness } from 'node:os';

/** linux/netlink.h */
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
/** The kernel's table changed during the listing, so something may be missing or be there twice. */
export const NLM_F_DUMP_INTR = 0x10;

const IS_LITTLE_ENDIAN = endianness() === 'LE';
const HEADER_BYTES = 16;
const ATTRIBUTE_HEADER_BYTES = 4;
const NLA_TYPE_MASK = 0x3fff;

/** One message that the kernel sent: views of the datagram, valid until it is overwritten. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** What follows `struct nlmsghdr`. */
  readonly body: Buffer;
}

/** What a request consists of, beside its sequence number. */
export interface Request {
  readonly type: number;
  /** Beside NLM_F_REQUEST. */
  readonly flags: number;
  /** The header of the subsystem, `struct rtmsg` or the like. */
  readonly own: Uint8Array;
  readonly attributes: Uint8Array;
}

/** The messages in a datagram; one that is cut off ends it. Headers are in the byte order of the host. */
export function* splitMessages(datagram: Buffer): Generator<Message> {
  for (let offset = 0; offset + HEADER_BYTES <= datagram.length;) {
    const length = uint32(datagram, offset);
    if (length < HEADER_BYTES || offset + length > datagram.length) return;
    yield {
      type: uint16(datagram, offset + 4),
      flags: uint16(datagram, offset + 6),
      sequence: uint32(datagram, offset + 8),
      body: datagram.subarray(offset + HEADER_BYTES, offset + length),
    };
    offset += align(length);
  }
}

/** The attributes that follow a header of the subsystem, the last of each type. */
export function attributesOf(body: Buffer, headerBytes: number): ReadonlyMap<number, Buffer> {
  const attributes = new Map<number, Buffer>();
  for (let offset = align(headerBytes); offset + ATTRIBUTE_HEADER_BYTES <= body.length;) {
    const length = uint16(body, offset);
    if (length < ATTRIBUTE_HEADER_BYTES || offset + length > body.length) break;
    const type = uint16(body, offset + 2) & NLA_TYPE_MASK;
    attributes.set(type, body.subarray(offset + ATTRIBUTE_HEADER_BYTES, offset + length));
    offset += align(length);
  }
  return attributes;
}

/** The first attribute of a type; null if there is none. Of many messages, cheaper than {@link attributesOf}. */
export function attributeOf(body: Buffer, headerBytes: number, wanted: number): Buffer | null {
  for (let offset = align(headerBytes); offset + ATTRIBUTE_HEADER_BYTES <= body.length;) {
    const length = uint16(body, offset);
    if (length < ATTRIBUTE_HEADER_BYTES || offset + length > body.length) break;
    if ((uint16(body, offset + 2) & NLA_TYPE_MASK) === wanted)
      return body.subarray(offset + ATTRIBUTE_HEADER_BYTES, offset + length);
    offset += align(length);
  }
  return null;
}

/** One attribute, padded to four bytes. */
export function attribute(type: number, value: Uint8Array): Buffer {
  const bytes = Buffer.alloc(align(ATTRIBUTE_HEADER_BYTES + value.length));
  bytes.set(hostUint16(ATTRIBUTE_HEADER_BYTES + value.length), 0);
  bytes.set(hostUint16(type), 2);
  bytes.set(value, ATTRIBUTE_HEADER_BYTES);
  return bytes;
}

/** A number of two bytes in the byte order of the host. */
export function hostUint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  if (IS_LITTLE_ENDIAN) bytes.writeUInt16LE(value);
  else bytes.writeUInt16BE(value);
  return bytes;
}

/** A number of four bytes in the byte order of the host. */
export function hostUint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  if (IS_LITTLE_ENDIAN) bytes.writeUInt32LE(value >>> 0);
  else bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

/** A number of one byte. */
export function uint8(value: number): Buffer {
  return Buffer.of(value);
}

/** Text with the zero that ends it. */
export function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

/** Reads a number of the host's byte order. */
export function uint16(bytes: Buffer, offset = 0): number {
  return IS_LITTLE_ENDIAN ? bytes.readUInt16LE(offset) : bytes.readUInt16BE(offset);
}

/** Reads a number of the host's byte order. */
export function uint32(bytes: Buffer, offset = 0): number {
  return IS_LITTLE_ENDIAN ? bytes.readUInt32LE(offset) : bytes.readUInt32BE(offset);
}

/** Reads a number of the host's byte order, with a sign. */
export function int32(bytes: Buffer, offset = 0): number {
  return uint32(bytes, offset) | 0;
}

/** Reads text up to its zero. */
export function string(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

function align(length: number): number {
  return (length + 3) & ~3;
}
