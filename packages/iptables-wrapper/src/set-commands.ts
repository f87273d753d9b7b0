import { isIPv4, isIPv6 } from 'node:net';
import { IptablesError } from './iptables-error.js';
import type { SetCommand, SetElement, SetSpec } from './ipset.js';

/**
 * With the final NUL 32 (linux/netfilter/ipset/ip_set.h IPSET_MAXNAMELEN); one is kept for the second set of
 * `replace`.
 */
const MAX_NAME_BYTES = 30;

/** IPSET_MAX_TIMEOUT, UINT_MAX / 1000 halved (linux/netfilter/ipset/ip_set_timeout.h) */
const MAX_TIMEOUT_SECONDS = 2_147_483;

/** A line for `ipset restore`, and the command that it belongs to. */
export interface SetLine {
  readonly text: string;
  readonly index: number;
  /** Existing or missing objects are no error. */
  readonly isLenient: boolean;
}

/**
 * The lines of commands for `ipset restore`.
 *
 * @throws IptablesError EINVAL with the index of a command that is malformed. ipset would ask the DNS for what is no
 * address
 */
export function lowerSetCommands(commands: readonly SetCommand[]): SetLine[] {
  return commands.flatMap((command, index) => {
    const fault = faultOfCommand(command);
    if (fault !== undefined)
      throw new IptablesError('EINVAL', `${describeSetCommand(command)}: ${fault}${placeOf(commands, index)}`, {
        index,
      });
    const isLenient = 'ensure' in command || 'put' in command || 'discard' in command;
    return lowerOne(command).map((text) => ({ text, index, isLenient }));
  });
}

/**
 * Splits lines where strict and lenient ones meet. `-exist` cannot be said of a line alone: in one stream it holds for
 * every later line, and elements that follow each other share the word of the first (ipset 7.17).
 */
export function splitStreams(lines: readonly SetLine[]): SetLine[][] {
  const streams: SetLine[][] = [];
  for (const line of lines) {
    const stream = streams.at(-1);
    if (stream?.[0]?.isLenient === line.isLenient) stream.push(line);
    else streams.push([line]);
  }
  return streams;
}

/** `add to set clients`. */
export function describeSetCommand(command: SetCommand): string {
  if ('create' in command) return `create set ${command.create.name}`;
  if ('ensure' in command) return `ensure set ${command.ensure.name}`;
  if ('destroy' in command) return `destroy set ${command.destroy.name}`;
  if ('flush' in command) return `flush set ${command.flush.name}`;
  if ('swap' in command) return `swap set ${command.swap.name} with ${command.swap.with}`;
  if ('add' in command) return `add to set ${command.add.name}`;
  if ('put' in command) return `put into set ${command.put.name}`;
  if ('delete' in command) return `delete from set ${command.delete.name}`;
  return `discard from set ${command.discard.name}`;
}

/** ` (command 2 of 3)`, or nothing for the only one. */
export function placeOf(commands: readonly SetCommand[], index: number): string {
  return commands.length > 1 ? ` (command ${index + 1} of ${commands.length})` : '';
}

/** The name of the second set that `replace` fills. */
export function secondName(name: string): string {
  return `${name}~`;
}

/** The line that makes a set. */
export function createLine(spec: SetSpec, name = spec.name): string {
  const words = ['create', name, spec.type];
  if (spec.type !== 'hash:mac') words.push('family', spec.family === 6 ? 'inet6' : 'inet');
  if (spec.maxElements !== undefined) words.push('maxelem', String(spec.maxElements));
  if (spec.timeoutSeconds !== undefined) words.push('timeout', String(spec.timeoutSeconds));
  if (spec.hasMarks === true) words.push('skbinfo');
  return words.join(' ');
}

/** The line that adds an element. */
export function addLine(name: string, { value, timeoutSeconds, mark }: SetElement): string {
  const timeout = timeoutSeconds === undefined ? '' : ` timeout ${timeoutSeconds}`;
  const skbmark = mark === undefined ? '' : ` skbmark ${hex(mark.value)}/${hex(mark.mask ?? 0xffff_ffff)}`;
  return `add ${name} ${value}${timeout}${skbmark}`;
}

/** What is wrong with a set's definition; undefined if nothing is. */
export function faultOfSpec({ name, type, family, timeoutSeconds, maxElements }: SetSpec): string | undefined {
  // Callers without types may pass anything.
  if (!['hash:ip', 'hash:mac', 'hash:net'].includes(type))
    return `type ${JSON.stringify(type)} is none of hash:ip, hash:mac, hash:net`;
  if (family !== undefined && family !== 4 && family !== 6) return `family ${String(family)} is neither 4 nor 6`;
  if (maxElements !== undefined && !(Number.isInteger(maxElements) && maxElements >= 1 && maxElements <= 0xffff_ffff))
    return `maxElements ${maxElements} is not in 1..4294967295`;
  return faultOfName(name) ?? faultOfTimeout(timeoutSeconds);
}

/**
 * What is wrong with an element, given what its set holds; undefined if nothing is. Without a spec any kind of value
 * is right.
 */
export function faultOfElement({ value, timeoutSeconds, mark }: SetElement, spec?: SetSpec): string | undefined {
  if (
    mark !== undefined &&
    ![mark.value, mark.mask ?? 0].every((word) => Number.isInteger(word) && word >= 0 && word <= 0xffff_ffff)
  ) {
    return `mark ${mark.value}/${mark.mask ?? ''} of ${value} is not of 32 bits`;
  }
  return faultOfValue(value, spec) ?? faultOfTimeout(timeoutSeconds);
}

function faultOfCommand(command: SetCommand): string | undefined {
  if ('create' in command) return faultOfSpec(command.create);
  if ('ensure' in command) return faultOfSpec(command.ensure);
  if ('destroy' in command) return faultOfName(command.destroy.name);
  if ('flush' in command) return faultOfName(command.flush.name);
  if ('swap' in command) return faultOfName(command.swap.name) ?? faultOfName(command.swap.with);
  if ('add' in command || 'put' in command) {
    const { name, elements } = 'add' in command ? command.add : command.put;
    return faultOfName(name) ?? firstFault(elements, (element) => faultOfElement(element));
  }
  const { name, values } = 'delete' in command ? command.delete : command.discard;
  return faultOfName(name) ?? firstFault(values, (value) => faultOfValue(value));
}

function lowerOne(command: SetCommand): string[] {
  if ('create' in command) return [createLine(command.create)];
  if ('ensure' in command) return [createLine(command.ensure)];
  if ('destroy' in command) return [`destroy ${command.destroy.name}`];
  if ('flush' in command) return [`flush ${command.flush.name}`];
  if ('swap' in command) return [`swap ${command.swap.name} ${command.swap.with}`];
  if ('add' in command) return command.add.elements.map((element) => addLine(command.add.name, element));
  if ('put' in command) return command.put.elements.map((element) => addLine(command.put.name, element));
  if ('delete' in command) return command.delete.values.map((value) => `del ${command.delete.name} ${value}`);
  return command.discard.values.map((value) => `del ${command.discard.name} ${value}`);
}

function faultOfName(name: string): string | undefined {
  if (!/^[A-Za-z0-9_][A-Za-z0-9_.:-]*$/u.test(name)) return `${JSON.stringify(name)} cannot be the name of a set`;
  return name.length > MAX_NAME_BYTES
    ? `set name ${name} has ${name.length} bytes, more than ${MAX_NAME_BYTES}`
    : undefined;
}

function faultOfTimeout(seconds: number | undefined): string | undefined {
  if (seconds === undefined || (Number.isInteger(seconds) && seconds >= 0 && seconds <= MAX_TIMEOUT_SECONDS))
    return undefined;
  return `timeoutSeconds ${seconds} is not a whole number in 0..${MAX_TIMEOUT_SECONDS}`;
}

function faultOfValue(value: string, spec?: SetSpec): string | undefined {
  const kinds: readonly SetSpec['type'][] = spec ? [spec.type] : ['hash:ip', 'hash:net', 'hash:mac'];
  const families = spec ? [spec.family ?? 4] : [4, 6];
  if (kinds.some((kind) => families.some((family) => isValue(value, kind, family)))) return undefined;
  const expected = spec
    ? `${spec.type}${spec.type === 'hash:mac' ? '' : ` of IPv${spec.family ?? 4}`}`
    : 'an address, a network or a MAC address';
  return `${JSON.stringify(value)} is not ${spec ? `an element of ${expected}` : expected}`;
}

function isValue(value: string, type: SetSpec['type'], family: number): boolean {
  if (type === 'hash:mac') return /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/iu.test(value);
  const [address = '', length, ...rest] = value.split('/');
  const isAddress = family === 4 ? isIPv4(address) : isIPv6(address) && !address.includes('%');
  if (length === undefined) return isAddress;
  // ipset takes a whole family only in halves: /0 is refused.
  const isLength = /^[1-9]\d*$/u.test(length) && Number(length) <= (family === 4 ? 32 : 128);
  return type === 'hash:net' && isAddress && isLength && rest.length === 0;
}

function firstFault<T>(items: readonly T[], faultOfItem: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const fault = faultOfItem(item);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
