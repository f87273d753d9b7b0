/**
 * Decodes recorded streams with the product's decoder and with the rival's, in turns, and measures speed and what
 * stays on the heap. Started by measurements/decode.ts with `--expose-gc`, answers with one message.
 *
 * Both sides do a sidecar's whole reading: every event is recognized, and the variables that a sidecar asks for are
 * asked for. The decoder of the product parses the others only on demand, which is its way of being fast and is
 * counted as such.
 */
import { readFile } from 'node:fs/promises';
import { Decoder } from 'openvpn-management-client';
import { Transcript } from 'openvpn-management-client/testing';
import { SplitReader } from '../rivals/split-reader.js';
import { preferThisSession } from './precedence.js';

export interface DecodeRequest {
  readonly megabytes: number;
  readonly rounds: number;
}

export interface DecodeResult {
  readonly oursMbPerSecond: readonly number[];
  readonly rivalMbPerSecond: readonly number[];
  /** Bytes that stayed on the heap after the longer part of the stream. */
  readonly oursGrowthBytes: number;
  readonly rivalGrowthBytes: number;
  readonly streamedMegabytes: number;
}

/** Real conversations with OpenVPN 2.6.14, of servers with `management-client-auth`. */
const TRANSCRIPTS = ['client-auth', 'reject', 'sigusr1', 'takeover', 'tcp-kill'];
/** What the product asks an environment for, see sidecar/sessions and sidecar/daemon. */
const VARIABLES = ['common_name', 'trusted_ip', 'trusted_port', 'time_unix', 'local_port_1', 'proto_1'];
/** What Node reads from a socket at once. */
const CHUNK_BYTES = 64 * 1024;

/** What a reader saw; both have to see the same. */
interface Seen {
  events: number;
  characters: number;
}

interface Reader {
  push(chunk: Buffer): void;
  readonly seen: Seen;
}

function openDecoder(): Reader {
  const decoder = new Decoder();
  const seen = { events: 0, characters: 0 };
  return {
    seen,
    push: (chunk) => {
      for (const message of decoder.push(chunk)) {
        if (message.kind === 'client:address') {
          seen.events += 1;
          seen.characters += message.address.cidr.length > 0 ? 1 : 0;
        } else if (
          message.kind === 'client:connect' ||
          message.kind === 'client:reauth' ||
          message.kind === 'client:established' ||
          message.kind === 'client:disconnect'
        ) {
          seen.events += 1;
          for (const name of VARIABLES) seen.characters += message.env.get(name)?.length ?? 0;
        }
      }
    },
  };
}

function openSplitReader(): Reader {
  const reader = new SplitReader();
  const seen = { events: 0, characters: 0 };
  return {
    seen,
    push: (chunk) => {
      for (const event of reader.push(chunk)) {
        seen.events += 1;
        if (event.kind === 'address') seen.characters += event.address.length > 0 ? 1 : 0;
        else for (const name of VARIABLES) seen.characters += event.env.get(name)?.length ?? 0;
      }
    },
  };
}

async function readChunks(): Promise<readonly Buffer[]> {
  const directory = new URL('../../../test/transcripts/', import.meta.url);
  const texts = await Promise.all(TRANSCRIPTS.map((name) => readFile(new URL(`${name}.txt`, directory), 'utf8')));
  const once = Buffer.concat(texts.map((text) => Transcript.parse(text).received));
  const stream = Buffer.concat(Array.from({ length: Math.ceil((4 * 1024 * 1024) / once.length) }, () => once));
  return Array.from({ length: Math.floor(stream.length / CHUNK_BYTES) }, (_, index) =>
    stream.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
  );
}

/**
 * Feeds so many megabytes. The chunks go round, so a message is broken once a round, which both sides must handle.
 */
function feed(reader: Reader, chunks: readonly Buffer[], megabytes: number): number {
  const count = (megabytes * 1024 * 1024) / CHUNK_BYTES;
  const startMs = performance.now();
  for (let index = 0; index < count; index += 1) {
    const chunk = chunks[index % chunks.length];
    if (chunk !== undefined) reader.push(chunk);
  }
  return megabytes / ((performance.now() - startMs) / 1000);
}

/** What stays after `megabytes`, against after an eighth of that. */
function growthBytes(open: () => Reader, chunks: readonly Buffer[], megabytes: number): number {
  const reader = open();
  feed(reader, chunks, megabytes / 8);
  const before = heapBytes();
  feed(reader, chunks, megabytes);
  return Math.max(0, heapBytes() - before);
}

function heapBytes(): number {
  if (globalThis.gc === undefined) throw new Error('the decode worker needs --expose-gc');
  globalThis.gc();
  globalThis.gc();
  return process.memoryUsage().heapUsed;
}

async function measure({ megabytes, rounds }: DecodeRequest): Promise<DecodeResult> {
  const chunks = await readChunks();
  const oursMbPerSecond: number[] = [];
  const rivalMbPerSecond: number[] = [];
  for (let round = -1; round < rounds; round += 1) {
    const [ours, rival] = [openDecoder(), openSplitReader()];
    const speeds = [feed(ours, chunks, megabytes), feed(rival, chunks, megabytes)] as const;
    if (
      ours.seen.events !== rival.seen.events ||
      ours.seen.characters !== rival.seen.characters ||
      ours.seen.events === 0
    ) {
      throw new Error(`the readers disagree: ${JSON.stringify([ours.seen, rival.seen])}`);
    }
    if (round < 0) continue;
    oursMbPerSecond.push(speeds[0]);
    rivalMbPerSecond.push(speeds[1]);
  }
  const streamedMegabytes = megabytes * 4;
  return {
    oursMbPerSecond,
    rivalMbPerSecond,
    oursGrowthBytes: growthBytes(openDecoder, chunks, streamedMegabytes),
    rivalGrowthBytes: growthBytes(openSplitReader, chunks, streamedMegabytes),
    streamedMegabytes,
  };
}

process.once('disconnect', () => process.exit(1));
preferThisSession();

// The border between our own processes: measurements/decode.ts starts this.
process.send?.(await measure(JSON.parse(process.argv[2] ?? '') as DecodeRequest), () => process.exit(0));
