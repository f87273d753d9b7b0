import { NLM_F_ACK, NLM_F_CREATE } from 'nftables-json/netlink';
import type { Family, Neighbour, Policy, PolicyRule, Route } from '../../../rules/index.js';
import { addressBits, addressBytes } from '../../../rules/index.js';
import type { NeighbourQuestion } from '../neighbour-questions.js';
import type { DeviceNames } from './device-names.js';
import { type Request, attribute, hostUint16, hostUint32, text, uint8 } from './messages.js';
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
  RTN,
  RTNH_F_ONLINK,
  RT_SCOPE,
  RT_TABLE,
} from './rtnetlink.js';

const NLM_F_REPLACE = 0x100;
const NLM_F_EXCL = 0x200;
/** `struct rtnexthop` without attributes. */
const NEXTHOP_BYTES = 8;

/** What the requests need to know of the machine. */
type Indexes = Pick<DeviceNames, 'indexOf'>;

/**
 * As `ip neigh replace ADDRESS lladdr MAC dev DEVICE nud permanent protocol PROTOCOL`; for one without a MAC yet,
 * `nud incomplete extern_learn`. Userspace sets that state without the kernel's timer, so the kernel asks nobody for the
 * address, and does not give up: net/core/neighbour.c __neigh_update(), __neigh_event_send().
 */
export function setNeighbour(policy: Policy, { family, address, device, mac }: Neighbour, names: Indexes): Request {
  return {
    type: RTM.newNeighbour,
    flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
    own:
      mac === null
        ? neighbourHeader(family, names.indexOf(device), NUD.incomplete, NTF.extLearned)
        : neighbourHeader(family, names.indexOf(device), NUD.permanent),
    attributes: Buffer.concat([
      attribute(NDA.address, addressBytes(address)),
      ...(mac === null ? [] : [attribute(NDA.mac, Buffer.from(mac.replaceAll(':', ''), 'hex'))]),
      attribute(NDA.protocol, uint8(policy.routing.protocol)),
    ]),
  };
}

/** As `ip neigh replace ADDRESS dev DEVICE use` and `ip neigh change ADDRESS dev DEVICE nud STATE`. */
export function askNeighbour(question: NeighbourQuestion, names: Indexes): Request {
  const { family, address, device, how, isRouter } = question;
  const index = names.indexOf(device);
  return {
    type: RTM.newNeighbour,
    flags: how === 'use' ? NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE : NLM_F_ACK | NLM_F_REPLACE,
    own:
      how === 'use'
        ? neighbourHeader(family, index, 0, NTF.use)
        : neighbourHeader(family, index, NUD[how], isRouter ? NTF.router : 0),
    attributes: attribute(NDA.address, addressBytes(address)),
  };
}

/** As `ip neigh get ADDRESS dev DEVICE`. */
export function getNeighbour(family: Family, address: string, device: string, names: Indexes): Request {
  return {
    type: RTM.getNeighbour,
    flags: 0,
    own: neighbourHeader(family, names.indexOf(device), 0),
    attributes: attribute(NDA.address, addressBytes(address)),
  };
}

/** As `ip neigh del ADDRESS dev DEVICE`. */
export function removeNeighbour({ family, address, device }: Neighbour, names: Indexes): Request {
  return {
    type: RTM.delNeighbour,
    flags: NLM_F_ACK,
    own: neighbourHeader(family, names.indexOf(device), 0),
    attributes: attribute(NDA.address, addressBytes(address)),
  };
}

/** As `ip route replace` and `ip route del`. */
export function changeRoute(what: 'replace' | 'del', policy: Policy, route: Route, names: Indexes): Request {
  return {
    type: what === 'replace' ? RTM.newRoute : RTM.delRoute,
    flags: what === 'replace' ? NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE : NLM_F_ACK,
    own: routeHeader(what, policy, route),
    attributes: Buffer.concat(routeAttributes(route, names)),
  };
}

/** As `ip route get ADDRESS`. */
export function askRoute(family: Family, address: string): Request {
  const own = Buffer.alloc(OWN_HEADER_BYTES);
  own[0] = AF[family];
  own[1] = addressBits(family);
  return { type: RTM.getRoute, flags: 0, own, attributes: attribute(RTA.destination, addressBytes(address)) };
}

/** As `ip rule add` and `ip rule del`. */
export function changeRule(what: 'add' | 'del', policy: Policy, rule: PolicyRule): Request {
  const { family, table, goto } = rule;
  const [to, from] = [prefixOf(family, rule.to), prefixOf(family, rule.from)];
  const own = Buffer.alloc(OWN_HEADER_BYTES);
  own[0] = AF[family];
  own[1] = to.length;
  own[2] = from.length;
  own[4] = shortTable(table);
  own[7] = goto !== undefined ? FR_ACT.goto : table === 0 ? FR_ACT.nop : FR_ACT.table;
  const attributes = [
    attribute(FRA.priority, hostUint32(rule.priority)),
    attribute(FRA.protocol, uint8(policy.routing.protocol)),
  ];
  if (table !== 0) attributes.push(attribute(FRA.table, hostUint32(table)));
  if (to.bytes !== null) attributes.push(attribute(FRA.to, to.bytes));
  if (from.bytes !== null) attributes.push(attribute(FRA.from, from.bytes));
  if (goto !== undefined) attributes.push(attribute(FRA.goto, hostUint32(goto)));
  if (rule.iif !== undefined) attributes.push(attribute(FRA.iif, text(rule.iif)));
  if (rule.fwmark !== undefined)
    attributes.push(
      attribute(FRA.mark, hostUint32(rule.fwmark.value)),
      attribute(FRA.mask, hostUint32(rule.fwmark.mask)),
    );
  if (rule.ipproto !== undefined) attributes.push(attribute(FRA.ipProtocol, uint8(IP_PROTOCOLS[rule.ipproto])));
  if (rule.sport !== undefined) attributes.push(attribute(FRA.sourcePorts, portRange(rule.sport, rule.sport)));
  if (rule.dport !== undefined) attributes.push(attribute(FRA.destinationPorts, portRange(...rule.dport)));
  if (rule.suppressPrefixLength !== undefined)
    attributes.push(attribute(FRA.suppressPrefixLength, hostUint32(rule.suppressPrefixLength)));
  return {
    type: what === 'add' ? RTM.newRule : RTM.delRule,
    flags: what === 'add' ? NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL : NLM_F_ACK,
    own,
    attributes: Buffer.concat(attributes),
  };
}

function neighbourHeader(family: Family, index: number, state: number, flags = 0): Buffer {
  const own = Buffer.alloc(OWN_HEADER_BYTES);
  own[0] = AF[family];
  own.set(hostUint32(index), 4);
  own.set(hostUint16(state), 8);
  own[10] = flags;
  return own;
}

/** The scope is what ip(8) makes it: of IPv4, a route without a next hop leads to the link. */
function routeHeader(what: 'replace' | 'del', policy: Policy, route: Route): Buffer {
  const { family, destination, table, device, devices, via } = route;
  const isThrow = device === '';
  const own = Buffer.alloc(OWN_HEADER_BYTES);
  own[0] = AF[family];
  own[1] = prefixOf(family, destination === 'default' ? undefined : destination).length;
  own[4] = shortTable(table);
  own[5] = policy.routing.protocol;
  if (what === 'del') {
    own[6] = family === 6 ? RT_SCOPE.universe : RT_SCOPE.nowhere;
    own[7] = isThrow ? RTN.throw : 0;
  } else {
    const isOnLink = family === 4 && !isThrow && via === undefined && devices === undefined;
    own[6] = isOnLink ? RT_SCOPE.link : RT_SCOPE.universe;
    own[7] = isThrow ? RTN.throw : RTN.unicast;
  }
  if (via !== undefined) own.set(hostUint32(RTNH_F_ONLINK), 8);
  return own;
}

function routeAttributes({ family, destination, table, device, devices, via }: Route, names: Indexes): Buffer[] {
  const attributes = [attribute(RTA.table, hostUint32(table))];
  const { bytes } = prefixOf(family, destination === 'default' ? undefined : destination);
  if (bytes !== null) attributes.push(attribute(RTA.destination, bytes));
  if (device === '') return attributes;
  if (devices !== undefined) {
    const legs = devices.map((leg) => {
      const nexthop = Buffer.alloc(NEXTHOP_BYTES);
      nexthop.set(hostUint16(NEXTHOP_BYTES), 0);
      nexthop.set(hostUint32(names.indexOf(leg)), 4);
      return nexthop;
    });
    return [...attributes, attribute(RTA.multipath, Buffer.concat(legs))];
  }
  if (via !== undefined) attributes.push(attribute(RTA.gateway, addressBytes(via)));
  return [...attributes, attribute(RTA.device, hostUint32(names.indexOf(device)))];
}

/** `192.0.2.0/24`, or one address. */
function prefixOf(family: Family, prefix: string | undefined): { length: number; bytes: Uint8Array | null } {
  if (prefix === undefined) return { length: 0, bytes: null };
  const [address = '', length] = prefix.split('/');
  return { length: length === undefined ? addressBits(family) : Number(length), bytes: addressBytes(address) };
}

/** The field has one byte; a larger number is in an attribute alone. */
function shortTable(table: number): number {
  return table < 256 ? table : RT_TABLE.unspecified;
}

/** `struct fib_rule_port_range`. */
function portRange(first: number, last: number): Buffer {
  return Buffer.concat([hostUint16(first), hostUint16(last)]);
}
