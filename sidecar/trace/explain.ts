import { contains, formatNetwork, isHost, nexthopAddress, parseNetwork, routingTables, clientSetName, gatewayMark, type Network } from '../../rules/index.js';
import type { ConntrackEntry, FlowDirection } from '../system/conntrack-entries.js';
import type { RouteAnswer, RouteQuestion, TraceReading } from './reading.js';
import { type Trace, TraceBuilder, type TraceQuery } from './trace.js';

/** Where answers of a flow begin. */
interface Role {
  /** What the packet filter knows the destination by, in its own words. */
  readonly selector: string;
  /** The device that answers come from; null where the endpoint sends them itself. */
  readonly tunnel: string | null;
}

/** The gateway that answers go to. */
interface Target {
  readonly id: number;
  readonly device: string;
  readonly mac: string;
}

/**
 * Follows an answer of the flow from where it begins to the MAC that it is sent to, or to the first thing that is in the way.
 * Pure but for the look-up of routes.
 */
export async function explain(reading: TraceReading, query: TraceQuery, routeOf: (question: RouteQuestion) => Promise<RouteAnswer>): Promise<Trace> {
  const trace = new TraceBuilder();
  const { policy, table } = reading;
  const name = `nftables table inet ${policy.table}`;
  if (table === 'missing') return trace.fail(query, 'rules', `${name} is not there`, 'start gwmark run');
  if (table === 'foreign') return trace.fail(query, 'rules', `${name} is somebody else's`, 'name another with the setting table');
  trace.pass('rules', `${name} stands, datapath ${reading.datapath}`);

  const role = roleOf(reading, query);
  if ('reason' in role) return trace.fail(query, 'destination', role.reason, role.remedy);
  trace.pass('destination', role.text);

  const onlink = onlinkDevice(reading, query);
  if (onlink !== null) return trace.fail(query, 'selection', `${query.source} is on the link of ${onlink} itself: ARP and neighbour discovery serve it, and no gateway is learnt`, 'none needed; gateways.learnOnlink: true would learn it all the same');
  trace.pass('selection', `selected by ${role.selector}`);

  const matching = reading.entries.filter((entry) => isMeant(entry, query));
  const entry = matching.find((candidate) => idOf(reading, candidate) !== 0) ?? matching[0];
  if (entry === undefined) return trace.fail(query, 'conntrack', ...missingEntry(reading, query));
  const id = idOf(reading, entry);
  const count = matching.length === 1 ? '' : `, one of ${matching.length}`;
  const described = `${entry.protocol} ${describe(entry.original)}, answers ${describe(entry.reply)}${count}`;
  if (id === 0) return trace.fail(query, 'conntrack', `the entry ${described} has no gateway`, 'its router was not known at its first packet: let it send again, or look for that router in "gwmark gateways"');
  trace.pass('conntrack', `${described}: gateway ${id}`);

  const target = reading.datapath === 'module' ? moduleTarget(reading, id, trace, query) : nexthopTarget(reading, id, trace, query);
  if ('goesByMac' in target) return target;
  if (reading.datapath === 'nexthop') {
    const failed = await askKernel(reading, query, role, target, trace, routeOf);
    if (failed !== null) return failed;
  }
  return trace.succeed(query, `answers of this flow leave ${target.device} to ${target.mac} (gateway ${target.id})`);
}

type RoleAnswer = (Role & { readonly text: string }) | { readonly reason: string; readonly remedy: string };

function roleOf({ clients, devices, transports, status }: TraceReading, { source, destination, protocol, destinationPort }: TraceQuery): RoleAnswer {
  const address = hostOf(destination);
  const client = mostSpecific(clients, address);
  if (client !== null) {
    const owner = status?.clients.find(({ addresses }) => addresses.includes(formatNetwork(client)));
    const tunnel = devices.tunnels.find(({ covered, connected }) => [...connected, ...covered].some((network) => contains(network, address)))?.device ?? devices.tunnels[0]?.device;
    if (tunnel === undefined) return { reason: 'OpenVPN has no tunnel device now', remedy: 'look into the log of OpenVPN' };
    const who = owner === undefined ? 'a client' : `client ${owner.commonName} (CID ${owner.cid})`;
    const text = isHost(client) ? `${destination} is the address of ${who}, over ${tunnel}` : `${destination} is in ${formatNetwork(client)}, behind ${who}, over ${tunnel}`;
    return { selector: `set ${clientSetName(client)}`, tunnel, text };
  }
  const own = devices.tunnels.find(({ addresses }) => addresses.some((network) => network.address === destination));
  if (own !== undefined) return { selector: `the endpoint's own address on ${own.device}`, tunnel: null, text: `${destination} is the endpoint's own address on ${own.device}` };

  const isLocal = devices.links.some(({ addresses }) => addresses.includes(destination));
  const transport = transports.find((candidate) => (candidate.address === null ? isLocal : candidate.address === destination) && (protocol === null || candidate.protocol === protocol) && (destinationPort === null || candidate.port === destinationPort));
  if (transport !== undefined) return { selector: `${transport.protocol} port ${transport.port} of OpenVPN`, tunnel: null, text: `${destination} is where OpenVPN listens, ${transport.protocol} port ${transport.port}` };
  if (isLocal) return { reason: `${destination} is the endpoint itself, and no OpenVPN listens there on what was asked for`, remedy: 'see "gwmark status" for the transports' };

  if (mostSpecific(clients, hostOf(source)) !== null) {
    return { reason: `${source} is a client: answers of a flow that it opens come back into the tunnel`, remedy: 'trace the other way round, or a flow towards a client' };
  }
  const tunnel = devices.tunnels.find(({ connected }) => connected.some((network) => contains(network, address)));
  if (tunnel !== undefined) return { reason: `no client has ${destination} now: it is free in the network of ${tunnel.device}`, remedy: 'see "gwmark clients": the client left, or has not connected yet' };
  return { reason: `${destination} is no VPN address: no client has it or a subnet with it`, remedy: 'see "gwmark clients"; a subnet behind a client needs an iroute in OpenVPN' };
}

function onlinkDevice({ devices, policy }: TraceReading, { source }: TraceQuery): string | null {
  if (policy.learnOnlink) return null;
  return devices.links.find(({ onlink }) => onlink.some((network) => contains(network, hostOf(source))))?.device ?? null;
}

/** With DNAT the client is where the answers come from. */
function isMeant({ protocol, original, reply }: ConntrackEntry, query: TraceQuery): boolean {
  const isPair = original.source === query.source && (original.destination === query.destination || reply.source === query.destination);
  const isProtocol = query.protocol === null || protocol === query.protocol || (query.protocol === 'icmp' && protocol === 'icmpv6');
  const isPort = (wanted: number | null, has: number | null): boolean => wanted === null || wanted === has;
  return isPair && isProtocol && isPort(query.sourcePort, original.sourcePort) && isPort(query.destinationPort, original.destinationPort);
}

function missingEntry({ reverseEntries, allDevices }: TraceReading, { source, destination }: TraceQuery): readonly [text: string, remedy: string] {
  if (reverseEntries.some(({ original }) => original.destination === source)) {
    return [`connection tracking has only flows that ${destination} opened to ${source}`, `what ${source} sends are the answers: gwmark trace ${destination} ${source}`];
  }
  const down = allDevices.find(({ link_type: type, flags }) => type === 'ether' && !flags.includes('LOWER_UP'));
  const hint = down === undefined ? '' : `; ${down.ifname} is ${down.flags.includes('UP') ? 'without carrier' : 'down'}`;
  return [`connection tracking has no such flow from ${source} to ${destination}${hint}`, 'let it send a packet: nothing arrived, it was dropped before (rp_filter, a firewall), or the entry ended'];
}

function idOf({ datapath, policy, moduleFlows }: TraceReading, { protocol, original, mark }: ConntrackEntry): number {
  if (datapath === 'nexthop') return Math.trunc(((mark & policy.markMask) >>> 0) / gatewayMark(policy, 1));
  const number = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 }[protocol];
  const flow = moduleFlows.find(
    (candidate) => candidate.source === original.source && candidate.destination === original.destination && candidate.protocol === number && candidate.sourcePort === original.sourcePort && candidate.destinationPort === original.destinationPort,
  );
  return flow?.sourceGateway ?? 0;
}

function moduleTarget({ moduleGateways, allDevices }: TraceReading, id: number, trace: TraceBuilder, query: TraceQuery): Target | Trace {
  const gateway = moduleGateways.find((candidate) => candidate.id === id);
  if (gateway === undefined) return trace.fail(query, 'gateway', `gateway ${id} is gone: its device went down, or it was flushed`, 'its next packet teaches the flow anew; see "gwmark gateways"');
  const moved = gateway.send === gateway.mac ? '' : `, moved from ${gateway.mac}`;
  trace.pass('gateway', `gateway ${id} is ${gateway.send} on ${gateway.device}${moved}`);
  return deviceIsUp(allDevices, { id, device: gateway.device, mac: gateway.send }, trace, query);
}

function nexthopTarget({ policy, plan, allDevices, status }: TraceReading, id: number, trace: TraceBuilder, query: TraceQuery): Target | Trace {
  const family = query.source.includes(':') ? 6 : 4;
  const tableNumber = routingTables(policy).gateway(id);
  const hop = nexthopAddress(policy, family, id);
  const neighbour = plan.neighbours.find(({ address }) => address === hop);
  const known = status?.gateways.find((gateway) => gateway.id === id);
  const device = neighbour?.device ?? known?.device;
  if (device === undefined) {
    const down = allDevices.find(({ link_type: type, flags }) => type === 'ether' && !flags.includes('UP'));
    return trace.fail(query, 'gateway', `gateway ${id} is gone${down === undefined ? '' : `: its device ${down.ifname} is down`}`, down === undefined ? 'let a packet of that router come in; see "gwmark gateways"' : `ip link set ${down.ifname} up`);
  }
  trace.pass('gateway', `gateway ${id} is ${neighbour?.mac ?? known?.mac ?? 'of an unknown MAC'} on ${device}`);
  const up = deviceIsUp(allDevices, { id, device, mac: neighbour?.mac ?? known?.mac ?? '' }, trace, query);
  if ('goesByMac' in up) return up;

  const mark = gatewayMark(policy, id);
  const rule = plan.rules.find((candidate) => candidate.family === family && candidate.table === tableNumber && candidate.fwmark?.value === mark);
  if (rule === undefined) return trace.fail(query, 'rule', `no ip rule sends the mark 0x${mark.toString(16)} to table ${tableNumber}`, REPAIR);
  trace.pass('rule', `ip rule ${rule.priority}: mark 0x${mark.toString(16)} leads to table ${tableNumber}`);
  const route = plan.routes.find((candidate) => candidate.family === family && candidate.table === tableNumber);
  if (route === undefined) return trace.fail(query, 'route', `table ${tableNumber} is empty`, REPAIR);
  trace.pass('route', `table ${tableNumber}: default via ${route.via ?? '?'} dev ${route.device}`);
  if (neighbour === undefined) return trace.fail(query, 'neighbour', `the next hop ${hop} has no MAC`, REPAIR);
  trace.pass('neighbour', `${hop} is ${neighbour.mac}, permanently`);
  return { id, device: neighbour.device, mac: neighbour.mac };
}

const REPAIR = 'a running sidecar repairs that within a second: see "gwmark status"';

function deviceIsUp(devices: TraceReading['allDevices'], target: Target, trace: TraceBuilder, query: TraceQuery): Target | Trace {
  const device = devices.find(({ ifname }) => ifname === target.device);
  if (device === undefined) return trace.fail(query, 'device', `gateway ${target.id} is down: ${target.device} is gone`, 'plug it in again; its router is learnt anew');
  if (!device.flags.includes('UP')) return trace.fail(query, 'device', `gateway ${target.id} is down: ${target.device} is down`, `ip link set ${target.device} up`);
  if (!device.flags.includes('LOWER_UP')) return trace.fail(query, 'device', `gateway ${target.id} is down: ${target.device} has no carrier`, 'look at its cable and the switch');
  trace.pass('device', `${target.device} is up`);
  return target;
}

/** What the kernel itself says, whoever else has rules in it. */
async function askKernel(reading: TraceReading, query: TraceQuery, role: Role, target: Target, trace: TraceBuilder, routeOf: (question: RouteQuestion) => Promise<RouteAnswer>): Promise<Trace | null> {
  const mark = gatewayMark(reading.policy, target.id);
  const question = { to: query.source, from: query.destination, iif: role.tunnel, mark };
  const words = `ip route get ${query.source} from ${query.destination}${role.tunnel === null ? '' : ` iif ${role.tunnel}`} mark 0x${mark.toString(16)}`;
  const answer = await routeOf(question);
  if ('refused' in answer) return trace.fail(query, 'kernel', `${words}: ${answer.refused}`, 'gwmark doctor: look at forwarding and rp_filter');
  const { gateway, dev } = answer.route;
  const hop = nexthopAddress(reading.policy, query.source.includes(':') ? 6 : 4, target.id);
  if (gateway !== hop || dev !== target.device) {
    return trace.fail(query, 'kernel', `${words} says via ${gateway ?? 'no gateway'} dev ${dev ?? '?'}: a rule of somebody else comes first`, 'compare "ip rule": rules before those of gwmark, and gwmark doctor');
  }
  trace.pass('kernel', `${words}: via ${hop} dev ${target.device}`);
  return null;
}

function mostSpecific<T extends Network>(networks: readonly T[], address: Network): T | null {
  return networks.filter((network) => contains(network, address)).toSorted((a, b) => b.prefixLength - a.prefixLength)[0] ?? null;
}

function hostOf(address: string): Network {
  const network = parseNetwork(address);
  if (network === null) throw new Error(`${address} passed the check of the command line and is no address`);
  return network;
}

function describe({ source, destination, sourcePort, destinationPort }: FlowDirection): string {
  const end = (address: string, port: number | null): string => (port === null ? address : address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`);
  return `${end(source, sourcePort)} -> ${end(destination, destinationPort)}`;
}
