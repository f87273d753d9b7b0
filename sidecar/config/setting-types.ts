import { resolve } from 'node:path';

import { formatEndpoint, parsePlace, type Place, PLACE_EXPECTED } from 'openvpn-management-client/endpoint';
import * as v from 'valibot';

import {
  CONFIGURED_ENDPOINT_EXPECTED,
  type ConfiguredEndpoint,
  endpointFrom,
  parseConfiguredEndpoint,
  placeOf,
  plainEndpoint,
} from './endpoint.js';
import {
  ANSWER_EXPECTED,
  type ConfiguredAnswer,
  formatConfiguredAnswer,
  parseConfiguredAnswer,
  type ConfiguredNetwork,
  type ConfiguredSource,
  type ConfiguredTransport,
  type ConfiguredUplink,
  DEVICE_NAME,
  formatConfiguredNetwork,
  formatConfiguredSource,
  formatConfiguredTransport,
  formatConfiguredUplink,
  NETWORK_EXPECTED,
  parseConfiguredNetwork,
  parseConfiguredSource,
  parseConfiguredTransport,
  parseConfiguredUplink,
  SOURCE_EXPECTED,
  TRANSPORT_EXPECTED,
  UPLINK_EXPECTED,
} from './places.js';
import {
  PASS_THROUGH_EXPECTED,
  parsePassThroughPlace,
  passThroughPlaceFrom,
  type PassThroughPlace,
  plainPassThroughPlace,
} from './pass-through-socket.js';
import { parseNexthop4, parseNexthop6 } from './prefix.js';

/** Where a raw value comes from: flags and environment give text, YAML gives typed data. */
export type RawForm = 'text' | 'yaml';

/** One row of the settings table, without its path. */
export interface Kind<T> {
  /** The type in words, for help and the reference. */
  readonly type: string;
  /** What would have been right; completes "expected ...". */
  readonly expected: string;
  readonly default: T;
  readonly doc: string;
  /**
   * A running sidecar takes a changed value over on SIGHUP. What is not shapes rules, marks, routes or sockets that
   * were made once; a restart applies it, and loses no flow either.
   */
  readonly isReloadable: boolean;
  /**
   * It decides what the kernel is told, and so what a command finds there: the status document has it, and commands
   * judge by the value of the running sidecar. Never a secret.
   */
  readonly isInForce: boolean;
  /** Takes what `decode` gave. An issue of our own code (its type is `raw_check` or `raw_transform`) says what was expected. */
  readonly schema: v.GenericSchema<unknown, T>;
  /** A list is given by repeating the flag, or with commas. */
  readonly isList: boolean;
  /** A flag that needs no value. */
  readonly isSwitch: boolean;
  /** Converts the raw value for the schema; never throws, and leaves other values unchanged. */
  decode(raw: unknown, form: RawForm): unknown;
  /**
   * The value with each relative path taken from `directory`: that of the file that holds it, else the working
   * directory.
   */
  rebase(value: T, directory: string): T;
  /** The value as YAML or JSON would hold it. */
  toPlain(value: T): unknown;
}

/** What a row says itself; the rest follows from its type. */
export type Described<T> = Pick<Kind<T>, 'default' | 'doc'> & Partial<Pick<Kind<T>, 'isReloadable' | 'isInForce'>>;

/** What most types have. */
export const BASE = {
  isList: false,
  isSwitch: false,
  rebase: <T>(value: T): T => value,
  decode: (raw: unknown): unknown => raw,
  toPlain: (value: unknown): unknown => value,
} as const;

/** The row's own part, complete. */
export function described<T>({
  doc,
  isReloadable = false,
  isInForce = false,
  ...row
}: Described<T>): Required<Described<T>> {
  return { default: row.default, doc, isReloadable, isInForce };
}

/** A whole number in `min..max`. */
export function integer(row: Described<number> & { min: number; max: number; unit?: string }): Kind<number> {
  const unit = row.unit === undefined ? '' : ` (${row.unit})`;
  return {
    ...BASE,
    type: `integer ${row.min}..${row.max}${unit}`,
    expected: `an integer in ${row.min}..${row.max}${unit}`,
    ...described(row),
    schema: integerIn(row.min, row.max),
    decode: (raw, form) => (form === 'text' ? decodeInteger(raw) : raw),
  };
}

/** One of a few words. */
export function choice<const T extends string>(row: Described<NoInfer<T>> & { of: readonly T[] }): Kind<T> {
  const words = row.of.map((word) => `"${word}"`);
  return {
    ...BASE,
    type: row.of.join(' | '),
    expected: `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`,
    ...described(row),
    schema: v.picklist(row.of),
  };
}

/** True or false. */
export function toggle(row: Described<boolean>): Kind<boolean> {
  return {
    ...BASE,
    type: 'boolean',
    expected: 'true or false',
    ...described(row),
    schema: v.boolean(),
    isSwitch: true,
    decode: (raw, form) => (form === 'text' && (raw === 'true' || raw === 'false') ? raw === 'true' : raw),
  };
}

/** Text of a given pattern. */
export function text(row: Described<string> & { type: string; expected: string; pattern: RegExp }): Kind<string> {
  return {
    ...BASE,
    type: row.type,
    expected: row.expected,
    ...described(row),
    schema: textOf(v.regex(row.pattern)),
  };
}

/** A path in the file system: absolute, after {@link Kind.rebase}. */
export function path<T extends string | null>(row: Described<T>): Kind<T> {
  return {
    ...BASE,
    type: 'path',
    expected: 'a path',
    ...described(row),
    // A value that was given is a string; null is only ever the default.
    schema: textOf(v.check((value) => value !== '' && !value.includes('\0'))) as v.GenericSchema<unknown, T & string>,
    rebase: (value, directory) => (value === null ? value : (resolve(directory, value) as T)),
  };
}

/** Names of network devices, no two equal. */
export function devices(row: Described<readonly string[]>): Kind<readonly string[]> {
  return {
    ...BASE,
    type: 'list of device names',
    expected: 'a device name of 1..15 characters without "/", ":" and blanks',
    ...described(row),
    schema: uniqueList(textOf(v.regex(DEVICE_NAME)), (name) => name),
    isList: true,
    decode: decodeList,
  };
}

/** Management endpoints, no two at one place, in YAML each with what only it has: a password file, the mode and owner of its socket. */
export function endpoints(row: Described<readonly ConfiguredEndpoint[]>): Kind<readonly ConfiguredEndpoint[]> {
  const element = v.pipe(v.unknown(), readBy(parseConfiguredEndpoint, CONFIGURED_ENDPOINT_EXPECTED));
  return {
    ...BASE,
    type: 'list of `unix:/path` or `tcp:host:port`, with `listen:` in front if OpenVPN connects; in YAML also of `{address, passwordFile, mode, owner}`',
    expected: CONFIGURED_ENDPOINT_EXPECTED,
    ...described(row),
    schema: uniqueList(element, placeOf),
    isList: true,
    decode: (raw, form) =>
      form === 'yaml' && typeof raw === 'object' && !Array.isArray(raw) ? [raw] : decodeList(raw, form),
    rebase: (value, directory) => value.map((item) => endpointFrom(item, directory)),
    toPlain: (value) => value.map((item) => plainEndpoint(item)),
  };
}

/** Sockets where other programs attach, no two at one place, in YAML each with what only it has. */
export function passThroughPlaces(row: Described<readonly PassThroughPlace[]>): Kind<readonly PassThroughPlace[]> {
  const element = v.pipe(
    v.unknown(),
    v.rawTransform<unknown, PassThroughPlace>(({ dataset, addIssue, NEVER }) => {
      const result = parsePassThroughPlace(dataset.value);
      if ('place' in result) return result.place;
      addIssue({ message: result.expected });
      return NEVER;
    }),
  );
  return {
    ...BASE,
    type: 'list of `unix:/path` or `tcp:host:port`, with several OpenVPNs followed by `@ENDPOINT`; in YAML also of `{address, management, passwordFile, mode, owner, allow, logins}`',
    expected: PASS_THROUGH_EXPECTED,
    ...described(row),
    schema: uniqueList(element, placeOf),
    isList: true,
    decode: (raw, form) =>
      form === 'yaml' && typeof raw === 'object' && !Array.isArray(raw) ? [raw] : decodeList(raw, form),
    rebase: (value, directory) => value.map((item) => passThroughPlaceFrom(item, directory)),
    toPlain: (value) => value.map((item) => plainPassThroughPlace(item)),
  };
}

/** Link-layer senders, each with what flows it is listed for. */
export function sources(row: Described<readonly ConfiguredSource[]>): Kind<readonly ConfiguredSource[]> {
  const type = 'list of `[DEVICE] MAC|ADDRESS [clients|transport]`';
  return entries(row, type, SOURCE_EXPECTED, parseConfiguredSource, formatConfiguredSource);
}

/** How gateways are answered, each entry for a device. */
export function answers(row: Described<readonly ConfiguredAnswer[]>): Kind<readonly ConfiguredAnswer[]> {
  const type = 'list of `DEVICE source|pin|virtual ADDRESS|resolved ADDRESS [from MAC|ADDRESS]`';
  return entries(row, type, ANSWER_EXPECTED, parseConfiguredAnswer, formatConfiguredAnswer);
}

/** A list whose entries are each one text. */
function entries<T>(
  row: Described<readonly T[]>,
  type: string,
  expected: string,
  parse: (text: string) => T | undefined,
  format: (entry: T) => string,
): Kind<readonly T[]> {
  return {
    ...BASE,
    type,
    expected,
    ...described(row),
    schema: uniqueList(parsed(parse, expected), format),
    isList: true,
    decode: decodeList,
    toPlain: (value) => value.map((item) => format(item)),
  };
}

/** Networks, each with the tunnel device that leads there; null for every one. */
export function networks(row: Described<readonly ConfiguredNetwork[]>): Kind<readonly ConfiguredNetwork[]> {
  return entries(row, 'list of networks', NETWORK_EXPECTED, parseConfiguredNetwork, formatConfiguredNetwork);
}

/** Sockets that OpenVPN serves. */
export function transports(row: Described<readonly ConfiguredTransport[]>): Kind<readonly ConfiguredTransport[]> {
  return {
    ...BASE,
    type: 'list of sockets',
    expected: TRANSPORT_EXPECTED,
    ...described(row),
    schema: uniqueList(parsed(parseConfiguredTransport, TRANSPORT_EXPECTED), formatConfiguredTransport),
    isList: true,
    decode: decodeList,
    toPlain: (value) => value.map((item) => formatConfiguredTransport(item)),
  };
}

/** A router on a link. */
export function uplink(row: Described<ConfiguredUplink | null>): Kind<ConfiguredUplink | null> {
  return {
    ...BASE,
    type: 'DEVICE MAC | DEVICE ADDRESS',
    expected: UPLINK_EXPECTED,
    ...described(row),
    schema: parsed(parseConfiguredUplink, UPLINK_EXPECTED),
    toPlain: (value) => (value === null ? null : formatConfiguredUplink(value)),
  };
}

/** Where something of ours is served, or nowhere. */
export function listener(row: Omit<Described<null>, 'default'>): Kind<Place | null> {
  const expected = `"off", ${PLACE_EXPECTED}`;
  return {
    ...BASE,
    type: 'off | unix:/path | tcp:host:port',
    expected,
    ...described<Place | null>({ ...row, default: null }),
    schema: parsed((value) => (value === 'off' ? null : parsePlace(value)), expected),
    toPlain: (value) => (value === null ? 'off' : formatEndpoint(value)),
  };
}

/** A mask of packet mark bits: unsigned, 32 bits, of which 2..8 contiguous ones are set. */
export function mask(row: Described<number>): Kind<number> {
  return {
    ...BASE,
    type: 'mask',
    expected: '2..8 contiguous bits of 32, as 0xff000000 or decimal',
    ...described(row),
    schema: v.pipe(integerIn(1, 0xffff_ffff), v.check(isUsableMask)),
    decode: (raw) => (typeof raw === 'string' && /^0x[0-9a-f]{1,8}$/i.test(raw) ? Number(raw) : decodeInteger(raw)),
    toPlain: (value) => formatMask(value),
  };
}

/** A network from which next-hop addresses are taken: canonical `address/length`, host bits zero. */
export function nexthops(row: Described<string> & { family: 4 | 6 }): Kind<string> {
  const parse = row.family === 4 ? parseNexthop4 : parseNexthop6;
  const expected =
    row.family === 4
      ? 'a unicast IPv4 network such as 169.254.119.0/24 (length 24, host bits zero)'
      : 'a unicast IPv6 network such as fe80::6777:6d61:726b:0/112 (length 64..112, host bits zero)';
  return {
    ...BASE,
    type: row.family === 4 ? 'IPv4 network /24' : 'IPv6 network /64../112',
    expected,
    ...described(row),
    schema: parsed(parse, expected),
  };
}

/** The usual notation of a mark mask. */
export function formatMask(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}

/** How many bits a usable mask has. */
export function maskBits(value: number): number {
  return value.toString(2).replaceAll('0', '').length;
}

function isUsableMask(value: number): boolean {
  return /^1{2,8}0*$/.test(value.toString(2));
}

function decodeInteger(raw: unknown): unknown {
  return typeof raw === 'string' && /^-?\d{1,15}$/.test(raw) ? Number(raw) : raw;
}

/** Text holds commas, or is a list of such texts (a repeated flag); in YAML a single string is a list of one. */
export function decodeList(raw: unknown, form: RawForm): unknown {
  const list: readonly unknown[] = Array.isArray(raw) ? raw : [raw];
  if (form === 'yaml') return typeof raw === 'string' ? list : raw;
  return list.flatMap((item) =>
    String(item)
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  );
}

function integerIn(min: number, max: number): v.GenericSchema<unknown, number> {
  return v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));
}

function textOf(condition: v.PipeItem<string, string, v.BaseIssue<unknown>>): v.GenericSchema<unknown, string> {
  return v.pipe(v.string(), condition);
}

/** Text that `parse` understands; undefined means an error. */
function parsed<T>(parse: (text: string) => T | undefined, expected: string): v.GenericSchema<unknown, T> {
  return v.pipe(v.string(), readBy(parse, expected));
}

function readBy<Raw, T>(read: (raw: Raw) => T | undefined, expected: string): v.RawTransformAction<Raw, T> {
  return v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const result = read(dataset.value);
    if (result !== undefined) return result;
    addIssue({ message: expected });
    return NEVER;
  });
}

/** A list in which no two elements have one key. */
export function uniqueList<T>(
  element: v.GenericSchema<unknown, T>,
  keyOf: (item: T) => string,
): v.GenericSchema<unknown, readonly T[]> {
  return v.pipe(
    v.array(element),
    v.rawCheck(({ dataset, addIssue }) => {
      if (!dataset.typed) return;
      const list = dataset.value;
      const keys = list.map((item) => keyOf(item));
      keys.forEach((key, index) => {
        if (keys.indexOf(key) === index) return;
        addIssue({
          message: 'each entry once',
          path: [{ type: 'array', origin: 'value', input: list, key: index, value: list[index] }],
        });
      });
    }),
  );
}
