import { type ElementChange, PROTOCOL } from './element-change.js';
import {
  carriesElements,
  isPlainSet,
  readGeneration,
  rewriteBatch,
  writeBatch,
  writeGetGeneration,
  writeGetSet,
  writeListElements,
} from './element-messages.js';
import { decodeReply, listedMessages, MessageWriter, type Reply } from './netlink-message.js';
import type { NetlinkSocket } from './netlink-socket.js';
import { NftError } from './nft-error.js';
import type { SetReference } from './nftables.js';

const ERESTART = 85;
/** How often a transaction is tried again because another program changed the ruleset just then. */
const MAX_TRIES = 3;
/** Distinct sets of one transaction; each costs a question. */
const MAX_SETS = 16;
/** The kernel answers each message at most once. */
const MAX_REPLIES = 1024;
/** Space for the longest answer, the description of a set. */
const REPLY_BYTES = 8192;

/** The outcome of a transaction. Unless it is `applied` or `unknown`, nothing of it was applied. */
type Outcome = 'applied' | 'refused' | 'outdated' | 'unknown';

/** All these sets were plain, and their keys as long as these, at this generation. */
interface Sight {
  readonly generation: number;
  readonly sets: readonly ElementChange[];
}

interface Exchange {
  readonly isSent: boolean;
  /** Those that answer this request, in order. */
  readonly replies: readonly Reply[];
  /** False if the kernel may have answered more than this. */
  readonly isWhole: boolean;
}

/**
 * Reads the generation, looks whether a set is empty, and adds and deletes single addresses of plain sets, with messages of its own instead of
 * libnftables.
 *
 * A transaction is bound to the generation at which its sets were seen to be plain: were a set deleted and recreated
 * as another kind since, the kernel refuses the transaction (ERESTART) and is asked again. So what was seen can not
 * become wrong, only useless. Owns the socket.
 */
export class ElementWriter {
  readonly #socket: NetlinkSocket;
  readonly #request = new MessageWriter();
  readonly #reply = Buffer.alloc(REPLY_BYTES);
  readonly #replyView = new DataView(this.#reply.buffer, this.#reply.byteOffset, REPLY_BYTES);
  /** Keeps the last batch: the next is usually for one more address of the same set. */
  readonly #batch = new MessageWriter();
  /** What that batch did, if it had one element. */
  #lastSole: ElementChange | undefined;
  #sequence = 0;
  #lastSets: readonly ElementChange[] = [];
  /** Read by `prepare`, for one transaction. */
  #sight: Sight | undefined;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** @throws NftError UNAVAILABLE */
  generation(): number {
    const generation = this.#readGeneration();
    if (generation === undefined) {
      throw new NftError('UNAVAILABLE', 'generation: no reply of the kernel is the one asked for');
    }
    return generation;
  }

  /** Lists a set or map, without reading its elements; undefined if the kernel does not, for whatever reason. */
  hasElements({ family, table, name }: SetReference): boolean | undefined {
    const protocol = PROTOCOL.get(family);
    if (protocol === undefined) {
      return undefined;
    }
    const sequence = this.#nextSequence();
    this.#request.clear();
    writeListElements(this.#request, sequence, { protocol, table, name });
    if (!this.#socket.send(this.#request.bytes, this.#request.length)) {
      return undefined;
    }
    let found = false;
    // All of it is taken, since the kernel gives no other listing before.
    for (let count = 0; count < MAX_REPLIES; count++) {
      const received = this.#socket.receive(this.#reply);
      if (received === 'none' || received === 'lost') {
        return undefined;
      }
      for (const message of listedMessages(this.#replyView, received)) {
        if (message.sequence !== sequence) {
          continue;
        }
        if (message.kind !== 'object') {
          return message.kind === 'done' ? found : undefined;
        }
        found ||= carriesElements(message);
      }
    }
    return undefined;
  }

  /**
   * Applies all changes in one transaction. The calling thread waits for the kernel.
   *
   * @returns false if nothing was applied, for whatever reason: libnftables may be asked to do the same, and will say
   * what is wrong
   * @throws NftError UNAVAILABLE if the outcome is unknown
   */
  apply(changes: readonly ElementChange[]): boolean {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const generation = this.#generationOfPlainSets(changes);
      if (generation === undefined) {
        return false;
      }
      const outcome = this.#commit(changes, generation);
      switch (outcome) {
        case 'applied':
          this.#lastSets = distinctSets(changes) ?? [];
          return true;
        case 'refused':
          return false;
        case 'unknown':
          // Every change increments the generation: the same number means that this transaction was not applied.
          if (this.#readGeneration() === generation) {
            return false;
          }
          throw new NftError('UNAVAILABLE', 'netlink: the answer to a transaction was lost, outcome unknown');
        case 'outdated':
          break;
      }
    }
    return false;
  }

  /**
   * Looks at the sets of the last transaction, so that the next need not, if it is for the same and nothing changes
   * until then.
   */
  prepare(): void {
    const generation = this.#lastSets.length === 0 ? undefined : this.#look(this.#lastSets);
    this.#sight = generation === undefined ? undefined : { generation, sets: this.#lastSets };
  }

  close(): void {
    this.#socket.close();
  }

  #readGeneration(): number | undefined {
    const { replies } = this.#exchange((sequence) => {
      this.#request.clear();
      writeGetGeneration(this.#request, sequence);
    }, 1);
    return replies.map(readGeneration).find((generation) => generation !== undefined);
  }

  /** The generation at which every set is plain and of the right key; undefined if one is not, or is not there. */
  #generationOfPlainSets(changes: readonly ElementChange[]): number | undefined {
    const sets = distinctSets(changes);
    const sight = this.#sight;
    this.#sight = undefined;
    if (sets === undefined) {
      return undefined;
    }
    return sight && sets.every((set) => sight.sets.some((seen) => isSameSet(seen, set)))
      ? sight.generation
      : this.#look(sets);
  }

  #look(sets: readonly ElementChange[]): number | undefined {
    // The generation comes first: a set that is replaced after it was read then makes the transaction fail, whenever
    // that happens.
    const { replies, isWhole } = this.#exchange((sequence) => {
      this.#request.clear();
      writeGetGeneration(this.#request, sequence);
      for (const set of sets) {
        writeGetSet(this.#request, sequence, set);
      }
    }, sets.length + 1);
    const [first, ...others] = replies;
    const isPlain =
      isWhole &&
      others.length === sets.length &&
      sets.every(({ keyBytes }, index) => isPlainSet(others[index], keyBytes));
    return isPlain ? readGeneration(first) : undefined;
  }

  /**
   * The acknowledgement comes last. A refusal comes before it, even one of a transaction that failed only when it was
   * committed, and holds.
   *
   * @see net/netfilter/nfnetlink.c nfnetlink_rcv_batch()
   */
  #commit(changes: readonly ElementChange[], generation: number): Outcome {
    const { isSent, replies, isWhole } = this.#exchange(
      (sequence) => this.#writeBatch(sequence, changes, generation),
      1,
      this.#batch,
    );
    const verdicts = replies.flatMap((reply) => (reply.kind === 'verdict' ? [reply.errno] : []));
    if (verdicts.includes(ERESTART)) {
      return 'outdated';
    }
    if (!isSent || verdicts.some((errno) => errno !== 0)) {
      return 'refused';
    }
    return isWhole && verdicts.length === 1 ? 'applied' : 'unknown';
  }

  #writeBatch(sequence: number, changes: readonly ElementChange[], generation: number): void {
    const [change] = changes;
    const [key] = change?.keys ?? [];
    const sole = changes.length === 1 && change?.keys.length === 1 ? change : undefined;
    const last = this.#lastSole;
    this.#lastSole = sole;
    if (sole && key && last && last.verb === sole.verb && isSameSet(last, sole)) {
      rewriteBatch(this.#batch, sequence, key, generation);
      return;
    }
    this.#batch.clear();
    writeBatch(this.#batch, sequence, changes, generation);
  }

  #nextSequence(): number {
    this.#sequence = (this.#sequence + 1) >>> 0;
    return this.#sequence;
  }

  /**
   * @param expected number of answers if all goes well, after which none is waited for unless one of them is a refusal
   */
  #exchange(write: (sequence: number) => void, expected: number, request = this.#request): Exchange {
    const sequence = this.#nextSequence();
    write(sequence);
    if (!this.#socket.send(request.bytes, request.length)) {
      return { isSent: false, replies: [], isWhole: true };
    }
    const replies: Reply[] = [];
    let isWhole = true;
    for (let count = 0; count < MAX_REPLIES; count++) {
      const received = this.#socket.receive(this.#reply);
      if (received === 'none') {
        return { isSent: true, replies, isWhole };
      }
      if (received === 'lost') {
        isWhole = false;
        continue;
      }
      const reply = decodeReply(this.#replyView, received);
      if (reply === undefined) {
        isWhole = false;
      } else if (reply.sequence === sequence) {
        replies.push(reply);
        if (replies.length === expected && isWhole && !replies.some(isRefusal)) {
          return { isSent: true, replies, isWhole };
        }
      }
    }
    return { isSent: true, replies, isWhole: false };
  }
}

function isRefusal(reply: Reply): boolean {
  return reply.kind === 'verdict' && reply.errno !== 0;
}

function isSameSet(one: ElementChange, other: ElementChange): boolean {
  return (
    one.name === other.name &&
    one.table === other.table &&
    one.protocol === other.protocol &&
    one.keyBytes === other.keyBytes
  );
}

/** Each set once; undefined if there are too many, or one is given keys of two kinds. */
function distinctSets(changes: readonly ElementChange[]): readonly ElementChange[] | undefined {
  const sets = new Map<string, ElementChange>();
  for (const change of changes) {
    const key = `${change.protocol}\0${change.table}\0${change.name}`;
    const known = sets.get(key);
    if (known && known.keyBytes !== change.keyBytes) {
      return undefined;
    }
    sets.set(key, known ?? change);
  }
  return sets.size > MAX_SETS ? undefined : [...sets.values()];
}
