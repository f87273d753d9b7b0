import type { Family, Neighbour, PolicyRule, Route } from '../../../rules/index.js';
import { addressBits, formatAddress } from '../../../rules/index.js';
import type { IpNeighbour } from '../iproute.js';
import type { MainRoute } from '../kernel-routing.js';
import type { KernelEvent } from '../neighbour-monitor.js';
import type { DeviceNames } from './device-names.js';
import { type Message, attributeOf, attributesOf, int32, string, uint16, uint32 } from './messages.js';
import {
  AF,
  FRA,
  FR_ACT,
  IP_PROTOCOLS,
  NDA,
  NTF,
  NUD,
  OWN_HEADER_BYTES,
  RTA,
  RTM,
  RTM_F_CLONED,
  RTN,
  RTNH_F_DEAD,
  RT_SCOPE,
  RT_TABLE,
} from './rtnetlink.js';

/** Names of devices by index. */
type Names = Pick<DeviceNames, 'nameOf'>;

/** The states in which a neighbour's MAC is known: linux/neighbour.h, NUD_VALID without NOARP. */
const USABLE = NUD.reachable | NUD.stale | NUD.delay | NUD.probe | NUD.permanent;

/** A neighbour in a listing or an event, whatever its state. */
export interface NeighbourEntry {
  readonly family: Family;
  readonly address: string;
  readonly device: string;
  /** Null while it is not known, and of a device without any. */
  readonly mac: string | null;
  /** NUD_* bits. */
  readonly state: number;
  /** NTF_* bits. */
  readonly flags: number;
  /** Who made it; 0: the kernel, or it is not said. */
  readonly protocol: number;
}

/** Null for another family (the entries of a bridge come in the same events), and if the device is gone. */
export function decodeNeighbour({ body }: Message, names: Names): NeighbourEntry | null {
  const family = familyOf(body);
  if (family === null || body.length < OWN_HEADER_BYTES) return null;
  const attributes = attributesOf(body, OWN_HEADER_BYTES);
  const address = attributes.get(NDA.address);
  const device = names.nameOf(uint32(body, 4));
  if (address === undefined || device === null) return null;
  const mac = attributes.get(NDA.mac);
  const state = uint16(body, 8);
  return {
    family,
    address: formatAddress(address),
    device,
    // One that is not resolved keeps the bytes of before.
    mac:
      mac === undefined || mac.length === 0 || (state & NUD.incomplete) !== 0 ? null : [...mac].map(hexByte).join(':'),
    state,
    flags: body[10] ?? 0,
    protocol: attributes.get(NDA.protocol)?.[0] ?? 0,
  };
}

/** As `ip -json neigh` has it. */
export function toIpNeighbour({ address, device, mac, state, flags, protocol }: NeighbourEntry): IpNeighbour {
  return {
    dst: address,
    dev: device,
    ...(mac === null ? {} : { lladdr: mac }),
    state: Object.entries(NUD).flatMap(([name, bit]) => ((state & bit) === 0 ? [] : [name.toUpperCase()])),
    ...(protocol === 0 ? {} : { protocol: String(protocol) }),
    ...((flags & NTF.router) === 0 ? {} : { router: null }),
    ...((flags & NTF.extLearned) === 0 ? {} : { extern_learn: null }),
  };
}

/** What of it a plan has. Null for one without a MAC that waits for none either. */
export function toNeighbour({ family, address, device, mac, state }: NeighbourEntry): Neighbour | null {
  return mac === null && state !== NUD.incomplete ? null : { family, address, device, mac };
}

/** The device of the answer to `askRoute`; null if there is no route, or the device is gone. */
export function decodeAnswer({ type, body }: Message, names: Names): string | null {
  const index = type === RTM.newRoute ? attributesOf(body, OWN_HEADER_BYTES).get(RTA.device) : undefined;
  return index === undefined ? null : names.nameOf(uint32(index));
}

/** A route and who made it; null for what no plan has: another family, a cached route, a device that is gone. */
export function decodeRoute({ body }: Message, names: Names): { route: Route; protocol: number } | null {
  const family = familyOf(body);
  if (family === null || body.length < OWN_HEADER_BYTES || (uint32(body, 8) & RTM_F_CLONED) !== 0) return null;
  const attributes = attributesOf(body, OWN_HEADER_BYTES);
  const legs = legsOf(attributes.get(RTA.multipath)).map((index) => names.nameOf(index) ?? '');
  const index = attributes.get(RTA.device);
  const device =
    body[7] === RTN.throw ? '' : index === undefined ? legs[0] : (names.nameOf(uint32(index)) ?? undefined);
  if (device === undefined) return null;
  const gateway = attributes.get(RTA.gateway);
  const table = attributes.get(RTA.table);
  return {
    protocol: body[5] ?? 0,
    route: {
      family,
      table: table === undefined ? (body[4] ?? 0) : uint32(table),
      destination: prefixText(family, attributes.get(RTA.destination), body[1] ?? 0) ?? 'default',
      device,
      ...(gateway === undefined ? {} : { via: formatAddress(gateway) }),
      ...(legs.length === 0 ? {} : { devices: legs }),
    },
  };
}

/** A route of main as {@link KernelRouting.mainRoutes} has them; null for any other. @param tunnels their indexes */
export function decodeMainRoute({ body }: Message, tunnels: ReadonlySet<number>, names: Names): MainRoute | null {
  const family = familyOf(body);
  if (family === null || body.length < OWN_HEADER_BYTES || (uint32(body, 8) & RTM_F_CLONED) !== 0) return null;
  const index = attributeOf(body, OWN_HEADER_BYTES, RTA.device);
  if (index === null) return null;
  const mayBeOnlink =
    body[7] === RTN.unicast && (family === 6 || body[6] === RT_SCOPE.link) && (uint32(body, 8) & RTNH_F_DEAD) === 0;
  // A router of the Internet has a million routes: nothing more is read of most of them.
  if (!mayBeOnlink && !tunnels.has(uint32(index))) return null;
  const attributes = attributesOf(body, OWN_HEADER_BYTES);
  const isOnlink = mayBeOnlink && ![RTA.gateway, RTA.via, RTA.multipath].some((type) => attributes.has(type));
  if (!isOnlink && !tunnels.has(uint32(index))) return null;
  const table = attributes.get(RTA.table);
  const dst = prefixText(family, attributes.get(RTA.destination), body[1] ?? 0);
  if ((table === undefined ? body[4] : uint32(table)) !== RT_TABLE.main || dst === null) return null;
  const device = names.nameOf(uint32(index));
  return device === null ? null : { dst, device, isOnlink };
}

/** A rule and who made it; null for another family. */
export function decodeRule({ body }: Message): { rule: PolicyRule; protocol: number } | null {
  const family = familyOf(body);
  if (family === null || body.length < OWN_HEADER_BYTES) return null;
  const attributes = attributesOf(body, OWN_HEADER_BYTES);
  const number = (type: number): number | undefined => {
    const bytes = attributes.get(type);
    return bytes === undefined ? undefined : uint32(bytes);
  };
  const iif = attributes.get(FRA.iif);
  const from = prefixText(family, attributes.get(FRA.from), body[2] ?? 0);
  const to = prefixText(family, attributes.get(FRA.to), body[1] ?? 0);
  const goto = body[7] === FR_ACT.goto ? number(FRA.goto) : undefined;
  const mark = number(FRA.mark);
  const mask = number(FRA.mask);
  const suppress = attributes.get(FRA.suppressPrefixLength);
  const ipproto = attributes.get(FRA.ipProtocol)?.[0];
  const sport = portsOf(attributes.get(FRA.sourcePorts));
  const dport = portsOf(attributes.get(FRA.destinationPorts));
  return {
    protocol: attributes.get(FRA.protocol)?.[0] ?? 0,
    rule: {
      family,
      priority: number(FRA.priority) ?? 0,
      table: body[7] === FR_ACT.table ? (number(FRA.table) ?? body[4] ?? 0) : 0,
      // The kernel leaves a mark of 0 out, and tells the mask.
      ...(mark === undefined && mask === undefined ? {} : { fwmark: { value: mark ?? 0, mask: mask ?? 0xffff_ffff } }),
      ...(goto === undefined ? {} : { goto }),
      // -1: it suppresses nothing.
      ...(suppress === undefined || int32(suppress) < 0 ? {} : { suppressPrefixLength: uint32(suppress) }),
      ...(iif === undefined ? {} : { iif: string(iif) }),
      ...(from === null ? {} : { from }),
      ...(to === null ? {} : { to }),
      ...(ipproto === undefined ? {} : { ipproto: ipProtocolName(ipproto) }),
      ...(sport === null || sport[0] !== sport[1] ? {} : { sport: sport[0] }),
      ...(dport === null ? {} : { dport }),
    },
  };
}

/** What an event says to us; null for what says nothing. @param protocol that our own neighbours have */
export function decodeEvent(message: Message, names: Names, protocol: number): KernelEvent | null {
  switch (message.type) {
    case RTM.newLink:
    case RTM.delLink:
      return { kind: 'link' };
    case RTM.newAddress:
    case RTM.delAddress:
      return { kind: 'address' };
    case RTM.newRule:
    case RTM.delRule:
      return { kind: 'rule' };
    case RTM.newRoute:
    case RTM.delRoute:
      return routeEvent(message, names);
    case RTM.newNeighbour:
    case RTM.delNeighbour:
      return neighbourEvent(message, names, protocol);
    default:
      return null;
  }
}

function neighbourEvent(message: Message, names: Names, protocol: number): KernelEvent | null {
  if (message.body[0] === AF.bridge) return bridgedEvent(message, names);
  const entry = decodeNeighbour(message, names);
  if (entry === null) return null;
  const isDeleted = message.type === RTM.delNeighbour;
  return {
    kind: 'neighbour',
    device: entry.device,
    address: entry.address,
    mac: !isDeleted && (entry.state & USABLE) !== 0 ? entry.mac : null,
    isDeleted,
    isOurs: entry.protocol === protocol,
  };
}

/** An entry of a bridge's forwarding table; a permanent one is a MAC of the bridge itself. */
function bridgedEvent({ type, body }: Message, names: Names): KernelEvent | null {
  if (type === RTM.delNeighbour || body.length < OWN_HEADER_BYTES || (uint16(body, 8) & NUD.permanent) !== 0)
    return null;
  const mac = attributesOf(body, OWN_HEADER_BYTES).get(NDA.mac);
  const port = names.nameOf(uint32(body, 4));
  return port === null || mac === undefined ? null : { kind: 'bridged', port, mac: [...mac].map(hexByte).join(':') };
}

/** A default route and one with a next hop tell nothing of what is on a link. */
function routeEvent({ body }: Message, names: Names): KernelEvent | null {
  if (body.length < OWN_HEADER_BYTES || (uint32(body, 8) & RTM_F_CLONED) !== 0) return null;
  const attributes = attributesOf(body, OWN_HEADER_BYTES);
  const table = attributes.get(RTA.table);
  const index = attributes.get(RTA.device);
  const isOnlink =
    (table === undefined ? body[4] : uint32(table)) === RT_TABLE.main &&
    body[1] !== 0 &&
    body[7] === RTN.unicast &&
    ![RTA.gateway, RTA.via, RTA.multipath].some((type) => attributes.has(type));
  const device = isOnlink && index !== undefined ? names.nameOf(uint32(index)) : null;
  return device === null ? { kind: 'route' } : { kind: 'onlink-route', device };
}

function familyOf(body: Buffer): Family | null {
  return body[0] === AF[4] ? 4 : body[0] === AF[6] ? 6 : null;
}

/** Null for a prefix of length 0. */
function prefixText(family: Family, address: Buffer | undefined, length: number): string | null {
  if (address === undefined) return null;
  return length === addressBits(family) ? formatAddress(address) : `${formatAddress(address)}/${length}`;
}

/** Device indexes of the next hops of a multipath route: `struct rtnexthop`, each with its attributes. */
function legsOf(bytes: Buffer | undefined): number[] {
  const indexes: number[] = [];
  if (bytes === undefined) return indexes;
  for (let offset = 0; offset + 8 <= bytes.length;) {
    const length = uint16(bytes, offset);
    if (length < 8) break;
    indexes.push(uint32(bytes, offset + 4));
    offset += (length + 3) & ~3;
  }
  return indexes;
}

/** A rule of ours has one of four protocols; anything else differs from every planned rule, and so is removed. */
function ipProtocolName(number: number): NonNullable<PolicyRule['ipproto']> {
  const known = Object.entries(IP_PROTOCOLS).find(([, value]) => value === number);
  return (known?.[0] ?? `ipproto-${number}`) as NonNullable<PolicyRule['ipproto']>;
}

function portsOf(range: Buffer | undefined): readonly [number, number] | null {
  return range === undefined ? null : [uint16(range, 0), uint16(range, 2)];
}

function hexByte(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
