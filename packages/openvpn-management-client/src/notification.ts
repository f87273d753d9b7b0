import { parseClientAddress } from './client-address.js';
import { readCounter, readDigits } from './digits.js';
import { readCid } from './ids.js';
import type { Notification, PasswordFailed, PasswordNeed, State, UnknownMessage } from './messages.js';
import { Secret } from './secret.js';
import { decodeText, detach, type ByteString } from './text.js';

/*
 * One line `>TYPE:rest` to one typed message. Everything here is total: text that does not parse becomes
 * `unknown`, because a new OpenVPN must not end an old sidecar.
 */

const DIGITS = /^\d{1,15}$/;
const COUNTER = /^\d{1,20}$/;

const parsers: Readonly<Record<string, (rest: string) => Notification | undefined>> = {
  INFO: (text) => ({ kind: 'info', text, managementVersion: bannerVersion(text) }),
  HOLD: parseHold,
  STATE: (rest) => {
    const state = parseState(rest);
    return state && { kind: 'state', ...state };
  },
  ECHO: parseEcho,
  BYTECOUNT: parseBytecount,
  PASSWORD: parsePassword,
  'NEED-OK': (rest) => parseNeed('need-ok', rest),
  'NEED-STR': (rest) => parseNeed('need-str', rest),
  'NEED-CERTIFICATE': (hint) => ({ kind: 'need-certificate', hint }),
  PK_SIGN: (rest) => parseSign('pk-sign', rest),
  RSA_SIGN: (rest) => parseSign('rsa-sign', rest),
  REMOTE: parseRemote,
  PROXY: parseProxy,
  INFOMSG: (text) => ({ kind: 'infomsg', text }),
  NOTIFY: parseNotify,
  FATAL: (text) => ({ kind: 'fatal', text }),
  'PKCS11ID-COUNT': (rest) => (DIGITS.test(rest) ? { kind: 'pkcs11:count', count: Number(rest) } : undefined),
  'PKCS11ID-ENTRY': parsePkcs11Entry,
};
const parserOf = new Map(Object.entries(parsers));

/**
 * Parses one notification line that is no part of an environment block and no header of one.
 *
 * @param line the line with its `>`, without CRLF
 * @param isAscii true if it is known to hold nothing else: then there is nothing to decode
 */
export function parseNotification(line: ByteString, isAscii: boolean): Notification {
  const colon = line.indexOf(':');
  if (colon === -1) return unknown('', line.slice(1), 'no type');
  const source = line.slice(1, colon);
  const bytes = line.slice(colon + 1);
  const rest = isAscii ? bytes : decodeText(bytes);
  // The two most frequent kinds; neither keeps a substring of the line.
  if (source === 'LOG') return parseLog(rest) ?? unknown(source, bytes, 'does not parse');
  if (source === 'BYTECOUNT_CLI') return parseClientBytecount(rest) ?? unknown(source, bytes, 'does not parse');
  const parse = parserOf.get(source);
  if (parse === undefined) return unknown(source, bytes, 'no such type');
  return parse(detach(rest)) ?? unknown(source, bytes, 'does not parse');
}

/** `ADDRESS,{cid},{address},{primary}` after `>CLIENT:`. */
export function parseClientAddressLine(rest: ByteString): Notification {
  const [, cidText = '', addressText = '', primary = '', ...more] = rest.split(',');
  const cid = readCid(cidText);
  const address = parseClientAddress(addressText);
  if (cid === undefined || more.length > 0 || (primary !== '0' && primary !== '1'))
    return unknown('CLIENT', rest, 'does not parse');
  if (address === undefined) return unknown('CLIENT', rest, 'no address, or a netmask with holes');
  return { kind: 'client:address', cid, address, isPrimary: primary === '1' };
}

/** Creates the message for a line that cannot be parsed. */
export function unknown(source: string, text: ByteString, reason: string): UnknownMessage {
  return { kind: 'unknown', source, text: decodeText(text), reason };
}

/**
 * Parses the fields of a state, as in `>STATE:` and in the rows that `state all` answers with.
 *
 * @see management-notes.txt "state"; 2.3 has fewer fields, 2.4 and later may have the IPv6 tunnel address as ninth
 */
export function parseState(text: string): State | undefined {
  const [time = '', name = '', description = '', tunnel, remote, remotePort, local, localPort, tunnel6] =
    text.split(',');
  if (!DIGITS.test(time) || name === '') return undefined;
  return {
    timeSeconds: Number(time),
    name,
    description,
    tunnelAddress: nonEmpty(tunnel),
    remoteAddress: nonEmpty(remote),
    remotePort: readPort(remotePort),
    localAddress: nonEmpty(local),
    localPort: readPort(localPort),
    tunnelAddress6: nonEmpty(tunnel6),
  };
}

/** Parses a row of `log all`, which has the form of `>LOG:`. */
export function parseLog(
  rest: string,
): { readonly kind: 'log'; readonly timeSeconds: number; readonly flags: string; readonly text: string } | undefined {
  const first = rest.indexOf(',');
  const second = rest.indexOf(',', first + 1);
  if (first === -1 || second === -1) return undefined;
  const timeSeconds = readDigits(rest, 0, first);
  return timeSeconds === -1
    ? undefined
    : { kind: 'log', timeSeconds, flags: rest.slice(first + 1, second), text: detach(rest.slice(second + 1)) };
}

/** The management version in the banner, undefined for any other text. */
function bannerVersion(text: string): number | undefined {
  const digits = /^OpenVPN Management Interface Version (\d{1,9})\b/.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function parseHold(rest: string): Notification {
  const match = /^(.*):(\d{1,9})$/s.exec(rest);
  return {
    kind: 'hold',
    text: match?.[1] ?? rest,
    waitSeconds: match?.[2] === undefined ? undefined : Number(match[2]),
  };
}

function parseEcho(rest: string): Notification | undefined {
  const comma = rest.indexOf(',');
  const time = rest.slice(0, comma);
  if (comma === -1 || !DIGITS.test(time)) return undefined;
  return { kind: 'echo', timeSeconds: Number(time), text: rest.slice(comma + 1) };
}

function parseBytecount(rest: string): Notification | undefined {
  const [bytesIn = '', bytesOut = '', ...more] = rest.split(',');
  if (!COUNTER.test(bytesIn) || !COUNTER.test(bytesOut) || more.length > 0) return undefined;
  return { kind: 'bytecount', bytesIn: BigInt(bytesIn), bytesOut: BigInt(bytesOut) };
}

function parseClientBytecount(rest: string): Notification | undefined {
  const first = rest.indexOf(',');
  const second = rest.indexOf(',', first + 1);
  if (first === -1 || second === -1) return undefined;
  const cid = readCid(rest.slice(0, first));
  const bytesIn = readCounter(rest, first + 1, second);
  const bytesOut = readCounter(rest, second + 1, rest.length);
  if (cid === undefined || bytesIn === undefined || bytesOut === undefined) return undefined;
  return { kind: 'client:bytecount', cid, bytesIn, bytesOut };
}

function parsePassword(rest: string): Notification | undefined {
  if (rest.startsWith('Auth-Token:'))
    return { kind: 'password:auth-token', token: new Secret(rest.slice('Auth-Token:'.length)) };
  return parsePasswordNeed(rest) ?? parsePasswordFailed(rest);
}

function parsePasswordNeed(rest: string): PasswordNeed | undefined {
  const match = /^Need '([^']*)' (username\/password|username|password)(?: SC:(\d{1,9}),(.*))?$/s.exec(rest);
  if (match === null) return undefined;
  const [, type = '', needs, flags, text = ''] = match;
  if (needs !== 'password' && needs !== 'username' && needs !== 'username/password') return undefined;
  return {
    kind: 'password:need',
    type,
    needs,
    challenge: flags === undefined ? undefined : { flags: Number(flags), text },
  };
}

function parsePasswordFailed(rest: string): PasswordFailed | undefined {
  const match = /^Verification Failed: '([^']*)'(?: \['(.*)'\])?$/s.exec(rest);
  return match === null ? undefined : { kind: 'password:failed', type: match[1] ?? '', reason: match[2] };
}

function parseNeed(kind: 'need-ok' | 'need-str', rest: string): Notification | undefined {
  const match = /^Need '([^']*)' (?:confirmation|input) MSG:(.*)$/s.exec(rest);
  return match === null ? undefined : { kind, type: match[1] ?? '', text: match[2] ?? '' };
}

function parseSign(kind: 'pk-sign' | 'rsa-sign', rest: string): Notification {
  const comma = rest.indexOf(',');
  if (comma === -1) return { kind, data: rest, algorithm: undefined };
  return { kind, data: rest.slice(0, comma), algorithm: rest.slice(comma + 1) };
}

function parseRemote(rest: string): Notification | undefined {
  const [host = '', portText, protocol = '', ...more] = rest.split(',');
  const port = readPort(portText);
  return port === undefined || more.length > 0 ? undefined : { kind: 'remote', host, port, protocol };
}

function parseProxy(rest: string): Notification | undefined {
  const [index = '', protocol = '', host = '', ...more] = rest.split(',');
  return DIGITS.test(index) && more.length === 0 ? { kind: 'proxy', index: Number(index), protocol, host } : undefined;
}

function parseNotify(rest: string): Notification | undefined {
  const match = /^([^,]*),([^,]*),(.*)$/s.exec(rest);
  return match === null
    ? undefined
    : { kind: 'notify', severity: match[1] ?? '', type: match[2] ?? '', text: match[3] ?? '' };
}

function parsePkcs11Entry(rest: string): Notification | undefined {
  const match = /^'(\d{1,9})', ID:'(.*)', BLOB:'(.*)'$/s.exec(rest);
  return match === null
    ? undefined
    : { kind: 'pkcs11:entry', index: Number(match[1]), id: match[2] ?? '', blob: match[3] ?? '' };
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}

function readPort(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,5}$/.test(text) && Number(text) <= 65535 ? Number(text) : undefined;
}
