import * as v from 'valibot';

/** The longest message for a client, in bytes: with what is around it, one parameter of OpenVPN (256). */
const MAX_MESSAGE_BYTES = 200;
const MAX_WORD = 512;
/** The longest hold. In memory, so it is for hours; an OpenVPN server keeps clients out for good (`disable`). */
export const MAX_HOLD_SECONDS = 86_400;

/** `gwmark kick`: these clients are to go. */
export interface KickOrder {
  /** Common name, address in the tunnel, real address, or CID (`7`, `cid:7`). */
  readonly client: string;
  /** Only clients of this OpenVPN: its management endpoint or its tunnel device. Null: of any. */
  readonly server: string | null;
  /** Every client that matches; else one that matches alone. */
  readonly isAll: boolean;
  /** What the client shows; null: nothing. */
  readonly message: string | null;
  /** The client's OpenVPN is to end. */
  readonly isHalt: boolean;
  /** How long it is kept out; null: not at all. */
  readonly holdSeconds: number | null;
}

/** `gwmark kick --release`: who is kept out may come in again. */
export type ReleaseOrder = Pick<KickOrder, 'client' | 'server'>;

const WORD = v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_WORD));
const INTEGER = v.pipe(v.number(), v.integer());

const KICK_ORDER = v.strictObject({
  client: WORD,
  server: v.nullable(WORD),
  isAll: v.boolean(),
  message: v.nullable(v.pipe(v.string(), v.check(isMessage))),
  isHalt: v.boolean(),
  holdSeconds: v.nullable(v.pipe(INTEGER, v.minValue(1), v.maxValue(MAX_HOLD_SECONDS))),
});

const RELEASE_ORDER = v.strictObject({ client: WORD, server: v.nullable(WORD) });

const KICK_REPORT = v.object({
  clients: v.array(
    v.object({
      management: v.string(),
      cid: v.string(),
      epoch: INTEGER,
      commonName: v.string(),
      realAddress: v.nullable(v.string()),
      addresses: v.array(v.string()),
      openvpn: v.picklist([
        /** It ends the client, within five seconds. */
        'told',
        /** The client has left by itself meanwhile. */
        'gone',
        /** It has not answered; the sidecar tells it again. */
        'untold',
      ]),
      /** Why it is `untold`, else null. */
      reason: v.nullable(v.string()),
    }),
  ),
  /** The kernel has no rules for them any more. */
  areRulesRemoved: v.boolean(),
  /** ISO 8601, UTC; null without a hold. */
  heldUntil: v.nullable(v.string()),
});

/** What was done, as `gwmark kick --json` prints it. */
export type KickReport = v.InferOutput<typeof KICK_REPORT>;

/** What is valid; completes "expected ...". */
export const MESSAGE_EXPECTED = `a message of at most ${MAX_MESSAGE_BYTES} bytes without control characters`;

/** Whether a client can be told this. Pure. */
export function isMessage(text: string): boolean {
  const bytes = new TextEncoder().encode(text);
  return bytes.length > 0 && bytes.length <= MAX_MESSAGE_BYTES && bytes.every((byte) => byte >= 32 && byte !== 127);
}

/** Reads an order; null if it is none. Pure. */
export function parseKickOrder(raw: unknown): KickOrder | null {
  const parsed = v.safeParse(KICK_ORDER, raw);
  return parsed.success ? parsed.output : null;
}

/** Reads an order; null if it is none. Pure. */
export function parseReleaseOrder(raw: unknown): ReleaseOrder | null {
  const parsed = v.safeParse(RELEASE_ORDER, raw);
  return parsed.success ? parsed.output : null;
}

/** Reads a report; null if it is none. Pure. */
export function parseKickReport(raw: unknown): KickReport | null {
  const parsed = v.safeParse(KICK_REPORT, raw);
  return parsed.success ? parsed.output : null;
}
