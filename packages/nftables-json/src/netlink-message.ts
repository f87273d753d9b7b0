/**
 * Netlink messages as bytes: of the netfilter subsystem, and with another header of their own of any.
 *
 * Headers and lengths are in the byte order of the host, values of nf_tables attributes are big-endian.
 *
 * @see linux/netlink.h struct nlmsghdr, struct nlattr, struct nlmsgerr; linux/netfilter/nfnetlink.h struct nfgenmsg
 */
import { endianness } from 'node:os';

const IS_LITTLE_ENDIAN = endianness() === 'LE';

const NETLINK_HEADER_BYTES = 16;
/** struct nlmsghdr and struct nfgenmsg. */
const HEADER_BYTES = 20;
const NO_BYTES = new Uint8Array();
const ATTRIBUTE_HEADER_BYTES = 4;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_CREATE = 0x400;
export const NLM_F_DUMP = 0x300;

export interface MessageHeader {
  /** Subsystem in the high byte, message in the low one. */
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** `NFPROTO_*` or AF_UNSPEC. */
  readonly family: number;
  /** Subsystem that a batch is for, else 0. */
  readonly resource: number;
}

/**
 * Writes messages one after the other into memory that it keeps: a buffer for each message costs more than all that
 * the kernel does with it.
 *
 * No attribute may be longer than 65,535 bytes, header included.
 */
export class MessageWriter {
  #bytes = Buffer.alloc(4096);
  #view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length);
  #length = 0;

  /** What was written, at the start of it; valid until the next call. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Bytes written. */
  get length(): number {
    return this.#length;
  }

  clear(): void {
    // Padding and what no attribute sets has to be zero.
    this.#bytes.fill(0, 0, this.#length);
    this.#length = 0;
  }

  /** One message; `writeAttributes` writes what follows its header. */
  message(header: MessageHeader, writeAttributes?: () => void): void {
    const start = this.#begin(header, HEADER_BYTES);
    this.#view.setUint8(start + 16, header.family);
    this.#view.setUint16(start + 18, header.resource);
    writeAttributes?.();
    this.#view.setUint32(start, this.#length - start, IS_LITTLE_ENDIAN);
  }

  /** One message of another subsystem, with the header of that one and its attributes as bytes. */
  request(
    header: Pick<MessageHeader, 'type' | 'flags' | 'sequence'>,
    own: Uint8Array,
    attributes: Uint8Array = NO_BYTES,
  ): void {
    const start = this.#begin(header, NETLINK_HEADER_BYTES);
    for (const bytes of [own, attributes]) this.#bytes.set(bytes, this.#reserve(bytes.length));
    this.#view.setUint32(start, this.#length - start, IS_LITTLE_ENDIAN);
  }

  /** An attribute made of attributes. */
  nested(type: number, writeAttributes: () => void): void {
    const start = this.#reserve(ATTRIBUTE_HEADER_BYTES);
    writeAttributes();
    this.#attributeHeader(start, type | NLA_F_NESTED, this.#length - start);
  }

  value(type: number, value: Uint8Array): void {
    const start = this.#reserve(ATTRIBUTE_HEADER_BYTES + value.length);
    this.#attributeHeader(start, type, ATTRIBUTE_HEADER_BYTES + value.length);
    this.#bytes.set(value, start + ATTRIBUTE_HEADER_BYTES);
  }

  text(type: number, text: string): void {
    const length = ATTRIBUTE_HEADER_BYTES + Buffer.byteLength(text) + 1;
    const start = this.#reserve(length);
    this.#attributeHeader(start, type, length);
    this.#bytes.write(text, start + ATTRIBUTE_HEADER_BYTES);
  }

  uint32(type: number, value: number): void {
    const start = this.#reserve(ATTRIBUTE_HEADER_BYTES + 4);
    this.#attributeHeader(start, type, ATTRIBUTE_HEADER_BYTES + 4);
    this.#view.setUint32(start + ATTRIBUTE_HEADER_BYTES, value);
  }

  /** Gives the message that begins at `start` another sequence number. */
  restamp(start: number, sequence: number): void {
    this.#view.setUint32(start + 8, sequence, IS_LITTLE_ENDIAN);
  }

  /** Another value in the place of one of the same length. */
  replace(at: number, value: Uint8Array): void {
    this.#bytes.set(value, at);
  }

  /** The same for an attribute's number. */
  replaceUint32(at: number, value: number): void {
    this.#view.setUint32(at, value);
  }

  #begin(header: Pick<MessageHeader, 'type' | 'flags' | 'sequence'>, length: number): number {
    const start = this.#reserve(length);
    this.#view.setUint16(start + 4, header.type, IS_LITTLE_ENDIAN);
    this.#view.setUint16(start + 6, header.flags, IS_LITTLE_ENDIAN);
    this.#view.setUint32(start + 8, header.sequence, IS_LITTLE_ENDIAN);
    return start;
  }

  #attributeHeader(start: number, type: number, length: number): void {
    this.#view.setUint16(start, length, IS_LITTLE_ENDIAN);
    this.#view.setUint16(start + 2, type, IS_LITTLE_ENDIAN);
  }

  /** Zeroed space at the end, up to the next multiple of four. Returns its offset. */
  #reserve(length: number): number {
    const start = this.#length;
    const end = start + align(length);
    if (end > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(end, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, start);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer, larger.byteOffset, larger.length);
    }
    this.#length = end;
    return start;
  }
}

/** What the kernel sent: an object, or its verdict on a request (errno, 0 for an acknowledgement). */
export type Reply =
  | {
      readonly kind: 'object';
      readonly type: number;
      readonly sequence: number;
      /** Attributes of four bytes as numbers, of others only that they are there. */
      readonly attributes: ReadonlyMap<number, number | undefined>;
    }
  | { readonly kind: 'verdict'; readonly errno: number; readonly sequence: number };

/**
 * The message at the start of a datagram: the kernel sends one in each, except in dumps, which nobody asks for here.
 *
 * The request that a verdict quotes may be cut off. An object that is cut off, or is no message at all, is undefined.
 *
 * @param received bytes of the datagram
 */
export function decodeReply(view: DataView, received: number): Reply | undefined {
  if (received < HEADER_BYTES) {
    return undefined;
  }
  const length = view.getUint32(0, IS_LITTLE_ENDIAN);
  const type = view.getUint16(4, IS_LITTLE_ENDIAN);
  const sequence = view.getUint32(8, IS_LITTLE_ENDIAN);
  if (type === NLMSG_ERROR) {
    return { kind: 'verdict', errno: Math.abs(view.getInt32(NETLINK_HEADER_BYTES, IS_LITTLE_ENDIAN)), sequence };
  }
  return length < HEADER_BYTES || length > received
    ? undefined
    : { kind: 'object', type, sequence, attributes: decodeAttributes(view, length) };
}

/** One of the messages that answer a request for a listing. */
export interface ListedMessage {
  /** `done`: the last one. `refused`: there is no listing. */
  readonly kind: 'object' | 'done' | 'refused';
  readonly type: number;
  readonly sequence: number;
  /** Attributes with anything in them. */
  readonly filled: ReadonlySet<number>;
}

/** The messages of a datagram of a listing; one that is cut off has the attributes that are there. */
export function* listedMessages(view: DataView, received: number): Generator<ListedMessage> {
  for (let start = 0; start + NETLINK_HEADER_BYTES <= received;) {
    const length = view.getUint32(start, IS_LITTLE_ENDIAN);
    const type = view.getUint16(start + 4, IS_LITTLE_ENDIAN);
    const sequence = view.getUint32(start + 8, IS_LITTLE_ENDIAN);
    if (length < NETLINK_HEADER_BYTES) {
      return;
    }
    const end = Math.min(start + length, received);
    const kind = type === NLMSG_DONE ? 'done' : type === NLMSG_ERROR ? 'refused' : 'object';
    yield { kind, type, sequence, filled: kind === 'object' ? filledAttributes(view, start, end) : new Set() };
    start += align(length);
  }
}

function filledAttributes(view: DataView, start: number, end: number): ReadonlySet<number> {
  const filled = new Set<number>();
  for (let offset = start + HEADER_BYTES; offset + ATTRIBUTE_HEADER_BYTES < end;) {
    const length = view.getUint16(offset, IS_LITTLE_ENDIAN);
    if (length > ATTRIBUTE_HEADER_BYTES) {
      filled.add(view.getUint16(offset + 2, IS_LITTLE_ENDIAN) & NLA_TYPE_MASK);
    }
    offset += align(Math.max(length, ATTRIBUTE_HEADER_BYTES));
  }
  return filled;
}

function decodeAttributes(view: DataView, end: number): ReadonlyMap<number, number | undefined> {
  const attributes = new Map<number, number | undefined>();
  for (let offset = HEADER_BYTES; offset + ATTRIBUTE_HEADER_BYTES <= end;) {
    const length = view.getUint16(offset, IS_LITTLE_ENDIAN);
    if (length < ATTRIBUTE_HEADER_BYTES || offset + length > end) {
      break;
    }
    const type = view.getUint16(offset + 2, IS_LITTLE_ENDIAN) & NLA_TYPE_MASK;
    attributes.set(
      type,
      length === ATTRIBUTE_HEADER_BYTES + 4 ? view.getUint32(offset + ATTRIBUTE_HEADER_BYTES) : undefined,
    );
    offset += align(length);
  }
  return attributes;
}

function align(length: number): number {
  return (length + 3) & ~3;
}
