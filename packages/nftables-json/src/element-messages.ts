/**
 * The messages of nf_tables that are sent without libnftables: which generation, which kind of set, and elements
 * of it.
 *
 * @see linux/netfilter/nf_tables.h; linux/netfilter/nfnetlink.h NFNL_MSG_BATCH_BEGIN
 */
import type { ElementChange } from './element-change.js';
import {
  type ListedMessage,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  type MessageHeader,
  type MessageWriter,
  type Reply,
} from './netlink-message.js';

const NFNL_SUBSYS_NFTABLES = 10;
const SUBSYSTEM = NFNL_SUBSYS_NFTABLES << 8;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;
const NFNL_BATCH_GENID = 1;
const NFT_MSG_NEWSET = 9;
const NFT_MSG_GETSET = 10;
const NFT_MSG_NEWSETELEM = 12;
const NFT_MSG_GETSETELEM = 13;
const NFT_MSG_DELSETELEM = 14;
const NFT_MSG_NEWGEN = 15;
const NFT_MSG_GETGEN = 16;
const NFTA_GEN_ID = 1;
const NFTA_SET_TABLE = 1;
const NFTA_SET_NAME = 2;
const NFTA_SET_FLAGS = 3;
const NFTA_SET_KEY_TYPE = 4;
const NFTA_SET_KEY_LEN = 5;
const NFTA_SET_EXPR = 17;
const NFTA_SET_EXPRESSIONS = 18;
const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_DATA_VALUE = 1;
const AF_UNSPEC = 0;

/** The type of a key, as nft stores it: TYPE_IPADDR and TYPE_IP6ADDR of its datatype.h. */
const KEY_TYPE = { 4: 7, 16: 8 } as const;

/** Asks for the generation of the ruleset. */
export function writeGetGeneration(writer: MessageWriter, sequence: number): void {
  writer.message(request(NFT_MSG_GETGEN, NLM_F_REQUEST, sequence, AF_UNSPEC));
}

/** The generation, undefined in any other reply. */
export function readGeneration(reply: Reply | undefined): number | undefined {
  return reply?.kind === 'object' && reply.type === (SUBSYSTEM | NFT_MSG_NEWGEN)
    ? reply.attributes.get(NFTA_GEN_ID)
    : undefined;
}

/** Asks for the kind of a change's set. */
export function writeGetSet(writer: MessageWriter, sequence: number, { protocol, table, name }: ElementChange): void {
  writer.message(request(NFT_MSG_GETSET, NLM_F_REQUEST, sequence, protocol), () => {
    writer.text(NFTA_SET_TABLE, table);
    writer.text(NFTA_SET_NAME, name);
  });
}

/**
 * True if the reply describes a set whose elements are single addresses of this length and nothing else: no intervals,
 * values, timeouts or statements. An element that is put into any other set needs more than its key.
 */
export function isPlainSet(reply: Reply | undefined, keyBytes: 4 | 16): boolean {
  if (reply?.kind !== 'object' || reply.type !== (SUBSYSTEM | NFT_MSG_NEWSET)) {
    return false;
  }
  const { attributes } = reply;
  return (
    (!attributes.has(NFTA_SET_FLAGS) || attributes.get(NFTA_SET_FLAGS) === 0) &&
    attributes.get(NFTA_SET_KEY_TYPE) === KEY_TYPE[keyBytes] &&
    attributes.get(NFTA_SET_KEY_LEN) === keyBytes &&
    !attributes.has(NFTA_SET_EXPR) &&
    !attributes.has(NFTA_SET_EXPRESSIONS)
  );
}

/** Asks for all elements of a set or map. */
export function writeListElements(
  writer: MessageWriter,
  sequence: number,
  { protocol, table, name }: Pick<ElementChange, 'protocol' | 'table' | 'name'>,
): void {
  writer.message(request(NFT_MSG_GETSETELEM, NLM_F_REQUEST | NLM_F_DUMP, sequence, protocol), () => {
    writer.text(NFTA_SET_ELEM_LIST_TABLE, table);
    writer.text(NFTA_SET_ELEM_LIST_SET, name);
  });
}

/** True if the message, one of those that answer {@link writeListElements}, has elements. */
export function carriesElements({ type, filled }: ListedMessage): boolean {
  return type === (SUBSYSTEM | NFT_MSG_NEWSETELEM) && filled.has(NFTA_SET_ELEM_LIST_ELEMENTS);
}

/**
 * One transaction, to be applied to this generation only: the kernel refuses it whole (ERESTART) at any other.
 *
 * Its last change is acknowledged. Errors are reported without being asked for.
 */
export function writeBatch(
  writer: MessageWriter,
  sequence: number,
  changes: readonly ElementChange[],
  generation: number,
): void {
  writer.message(bracket(NFNL_MSG_BATCH_BEGIN, sequence), () => {
    writer.uint32(NFNL_BATCH_GENID, generation);
  });
  for (const [index, { verb, protocol, table, name, keys }] of changes.entries()) {
    const message = verb === 'add' ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM;
    const flags = NLM_F_REQUEST | (verb === 'add' ? NLM_F_CREATE : 0) | (index === changes.length - 1 ? NLM_F_ACK : 0);
    writer.message(request(message, flags, sequence, protocol), () => {
      writer.text(NFTA_SET_ELEM_LIST_TABLE, table);
      writer.text(NFTA_SET_ELEM_LIST_SET, name);
      writer.nested(NFTA_SET_ELEM_LIST_ELEMENTS, () => {
        for (const key of keys) {
          writer.nested(NFTA_LIST_ELEM, () => {
            writer.nested(NFTA_SET_ELEM_KEY, () => {
              writer.value(NFTA_DATA_VALUE, key);
            });
          });
        }
      });
    });
  }
  writer.message(bracket(NFNL_MSG_BATCH_END, sequence));
}

/** The first message of a batch, whose last four bytes are the generation, and the last message. */
const BEGIN_BYTES = 28;
const END_BYTES = 20;

/**
 * Turns the batch in `writer`, of one element, into that of another element of the same set with a key of the same
 * length: three sequence numbers, the generation and the key, the last before the end. To write it costs three times
 * as much.
 */
export function rewriteBatch(writer: MessageWriter, sequence: number, key: Uint8Array, generation: number): void {
  const end = writer.length - END_BYTES;
  writer.restamp(0, sequence);
  writer.restamp(BEGIN_BYTES, sequence);
  writer.restamp(end, sequence);
  writer.replaceUint32(BEGIN_BYTES - 4, generation);
  writer.replace(end - key.length, key);
}

function request(message: number, flags: number, sequence: number, family: number): MessageHeader {
  return { type: SUBSYSTEM | message, flags, sequence, family, resource: 0 };
}

function bracket(type: number, sequence: number): MessageHeader {
  return { type, flags: NLM_F_REQUEST, sequence, family: AF_UNSPEC, resource: NFNL_SUBSYS_NFTABLES };
}
