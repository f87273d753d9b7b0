/**
 * The border to the kernel's ruleset generation: a number that every transaction of any program raises by one.
 *
 * libnftables reads it (nft_mnl_genid_get) but does not hand it out, so the one message is sent here. The kernel answers a netlink request before
 * send(2) returns; the socket does not block.
 *
 * @see linux/netfilter/nf_tables.h NFT_MSG_GETGEN, NFTA_GEN_ID; linux/netlink.h
 */
import { NftError } from './nft-error.js';

const AF_NETLINK = 16;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0o4000 | 0o2000000;
const NETLINK_NETFILTER = 12;
const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_NEWGEN = 15;
const NFT_MSG_GETGEN = 16;
const NLM_F_REQUEST = 1;
const NFTA_GEN_ID = 1;
/** struct nlmsghdr and struct nfgenmsg. */
const HEADER_BYTES = 20;
const MAX_STALE_REPLIES = 16;

/** Reads the generation of the network namespace in which it was opened. */
export interface GenerationReader {
  read(): number;
  close(): void;
}

/** @throws NftError UNAVAILABLE if koffi or the socket is missing */
export async function openGenerationReader(): Promise<GenerationReader> {
  const koffi = await import('koffi').catch((cause: unknown) => {
    throw new NftError('UNAVAILABLE', 'koffi cannot be loaded', { cause });
  });
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int domain, int type, int protocol)');
  const send = libc.func('long send(int fd, const uint8_t *buf, size_t len, int flags)');
  const receive = libc.func('long recv(int fd, _Out_ uint8_t *buf, size_t len, int flags)');
  const close = libc.func('int close(int fd)');

  const fd: unknown = socket(AF_NETLINK, SOCK_RAW_NONBLOCK_CLOEXEC, NETLINK_NETFILTER);
  if (typeof fd !== 'number' || fd < 0) {
    throw new NftError('UNAVAILABLE', `netlink socket: errno ${koffi.errno()}`);
  }
  const reply = Buffer.alloc(4096);
  let sequence = 0;
  return {
    read() {
      sequence = (sequence + 1) >>> 0;
      const request = encodeRequest(sequence);
      if (send(fd, request, request.length, 0) !== request.length) {
        throw new NftError('UNAVAILABLE', `generation: send: errno ${koffi.errno()}`);
      }
      for (let tries = 0; tries < MAX_STALE_REPLIES; tries++) {
        const received: unknown = receive(fd, reply, reply.length, 0);
        if (typeof received !== 'number' || received < 0) {
          throw new NftError('UNAVAILABLE', `generation: recv: errno ${koffi.errno()}`);
        }
        const generation = decodeGeneration(reply.subarray(0, received), sequence);
        if (generation !== undefined) {
          return generation;
        }
      }
      throw new NftError('UNAVAILABLE', 'generation: no reply of the kernel is the one asked for');
    },
    close() {
      close(fd);
    },
  };
}

/** The request; netlink headers are in the byte order of the host. */
export function encodeRequest(sequence: number): Buffer {
  const request = Buffer.alloc(HEADER_BYTES);
  const words = new Uint32Array(request.buffer, request.byteOffset, HEADER_BYTES / 4);
  const halves = new Uint16Array(request.buffer, request.byteOffset, HEADER_BYTES / 2);
  words[0] = HEADER_BYTES;
  halves[2] = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN;
  halves[3] = NLM_F_REQUEST;
  words[2] = sequence;
  return request;
}

/** The generation in a reply, or undefined if the message answers another request. Attribute values are big-endian. */
export function decodeGeneration(reply: Uint8Array, sequence: number): number | undefined {
  const aligned = Uint8Array.from(reply);
  if (aligned.length < HEADER_BYTES) {
    return undefined;
  }
  const view = new DataView(aligned.buffer);
  const halves = new Uint16Array(aligned.buffer, 0, aligned.length >> 1);
  const words = new Uint32Array(aligned.buffer, 0, aligned.length >> 2);
  if (halves[2] !== ((NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN) || words[2] !== sequence) {
    return undefined;
  }
  for (let offset = HEADER_BYTES; offset + 4 <= aligned.length; ) {
    const length = halves[offset / 2] ?? 0;
    if (length < 4) {
      return undefined;
    }
    if (halves[offset / 2 + 1] === NFTA_GEN_ID && length >= 8 && offset + 8 <= aligned.length) {
      return view.getUint32(offset + 4);
    }
    offset += (length + 3) & ~3;
  }
  return undefined;
}
