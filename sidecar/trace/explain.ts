import { cableLinks, contains, markWithoutGateway, moduleMark } from '../../rules/index.js';
import { describeDifferences } from '../control/settings-in-force.js';
import { noteAnnouncement } from './announcement.js';
import { findFlow } from './flow-found.js';
import { findPorts } from './kernel-policy.js';
import { followModule } from './module.js';
import { followNexthop } from './nexthop.js';
import type { TraceReading } from './reading.js';
import { findOthers } from './others.js';
import { findRole, hostOf, mostSpecific, programOf, type Role } from './role.js';
import { type RouteOf, type RouteQuestion, routeWords } from '../routing/route-question.js';
import { describeRoute } from './route.js';
import { Steps, Stopped, type Trace, type TraceQuery } from './trace.js';

/**
 * Follows what DST sends to SRC from where it begins to the MAC that it is sent to, or to the first thing that is in
 * the way. Pure except for the lookup of routes.
 */
export async function explain(reading: TraceReading, query: TraceQuery, routeOf: RouteOf): Promise<Trace> {
  const steps = new Steps();
  const rules = findRules(reading, steps);
  const role = rules instanceof Stopped ? rules : findRole(reading, query, steps);
  const way = role instanceof Stopped ? role : await follow(reading, query, role, steps, routeOf);
  if (!(way instanceof Stopped)) return { query, goesByMac: true, steps: steps.list, sentence: way, instead: null };
  const sentence = `answers of this flow do not go to the router's MAC address: ${steps.list.at(-1)?.text ?? ''}`;
  const instead =
    role instanceof Stopped || way.mark === null ? null : await insteadOf(reading, query, role, way.mark, routeOf);
  return { query, goesByMac: false, steps: steps.list, sentence, instead };
}

function findRules(
  { rules: { name, owner }, datapath, status, inForce }: TraceReading,
  steps: Steps,
): Stopped | undefined {
  if (owner === 'missing')
    return steps.stop(
      'rules',
      `${name} is missing`,
      status === null
        ? 'start gwmark run'
        : 'the sidecar restores it within a second, or says in "gwmark status" why it cannot',
    );
  if (owner === 'foreign')
    return steps.stop('rules', `${name} belongs to another program`, 'set table to another name');
  if (owner === 'outdated')
    return steps.stop(
      'rules',
      `${name} is of another version of gwmark`,
      'start gwmark run of this version: it replaces the rules',
    );
  const differing =
    inForce.differences.length === 0
      ? ''
      : `; using the settings of the running sidecar: ${describeDifferences(inForce.differences)}`;
  steps.pass(
    'rules',
    `${name} is installed, datapath ${datapath}${status === null ? '; no sidecar runs, these are the rules that it left' : differing}`,
  );
  return undefined;
}

async function follow(
  reading: TraceReading,
  query: TraceQuery,
  role: Role,
  steps: Steps,
  routeOf: RouteOf,
): Promise<string | Stopped> {
  noteAnnouncement(reading, query, role, steps);
  const stopped =
    findSelection(reading, query, role, steps) ??
    findCapture(reading, query, role, steps) ??
    findOthers(reading, query, role, steps) ??
    (await findSocket(reading, query, role, steps, routeOf));
  if (stopped !== undefined) return stopped;
  return reading.datapath === 'module'
    ? followModule(reading, query, role, steps, routeOf)
    : followNexthop(reading, query, role, findFlow(reading, query, role, steps), steps, routeOf);
}

function findSelection(
  { devices, policy }: TraceReading,
  { source }: TraceQuery,
  role: Role,
  steps: Steps,
): Stopped | undefined {
  const link = policy.learnOnlink
    ? undefined
    : devices.links.find(({ onlink }) => onlink.some((network) => contains(network, hostOf(source))));
  if (link === undefined) {
    steps.pass('selection', `selected by ${role.selector}`);
    return undefined;
  }
  const text = `${source} is on the link of ${link.device} itself: ARP and neighbour discovery find it, so gwmark learns no gateway`;
  return steps.stop('selection', text, 'none needed; with gateways.learnOnlink: true, gwmark would learn it', 0);
}

/** On a bridge, frames for VPN addresses are not addressed to the endpoint: the bridge table has to take them up. */
function findCapture(
  { datapath, devices, ports, rules: { captured, name: rulesName }, policy }: TraceReading,
  { destination }: TraceQuery,
  role: Role,
  steps: Steps,
): Stopped | undefined {
  const isModule = datapath === 'module';
  const [bridge] = isModule ? devices.links.filter(({ isBridge }) => isBridge) : cableLinks(devices.links);
  // With iptables nothing is captured: the endpoint is not inline then.
  if (bridge === undefined || role.transport !== null || (!isModule && rulesName.startsWith('iptables')))
    return undefined;
  const name = `nftables table bridge ${policy.table}`;
  const remedy = 'a running sidecar repairs this within a second: see "gwmark status"';
  if (captured === null)
    return steps.stop('capture', `${name} is missing: frames for ${destination} pass ${bridge.device}`, remedy);
  const isOwn = devices.tunnels.some(({ addresses }) => addresses.some(({ address }) => address === destination));
  if (!isOwn && mostSpecific(captured, destination) === null)
    return steps.stop('capture', `${name} does not have ${destination}: frames for it pass ${bridge.device}`, remedy);
  steps.pass('capture', `${name} captures frames for ${destination} off ${bridge.device}`);
  return findPorts({ ports }, bridge.device, steps);
}

async function findSocket(
  reading: TraceReading,
  { source, destination }: TraceQuery,
  role: Role,
  steps: Steps,
  routeOf: RouteOf,
): Promise<Stopped | undefined> {
  if (role.tunnel !== null) return undefined;
  const question = { to: source, from: destination, iif: null, mark: 0, transport: role.transport };
  const words = `ip ${routeWords(question).join(' ')}`;
  const answer = await routeOf(question);
  if ('refused' in answer)
    return steps.stop(
      'socket',
      `${words}: ${answer.refused}: the socket cannot send, and netfilter never sees the packet`,
      'a running sidecar adds a rule for this: see "gwmark status"',
    );
  steps.pass('socket', `${words}: ${describeRoute(reading, answer.route)}`);
  return findSource(reading, destination, question, steps, routeOf);
}

/**
 * A socket of UDP that is bound to no address answers from the one that the kernel chooses, which need not be the one
 * that was asked.
 */
async function findSource(
  reading: TraceReading,
  destination: string,
  question: RouteQuestion,
  steps: Steps,
  routeOf: RouteOf,
): Promise<Stopped | undefined> {
  const { transport } = question;
  if (
    transport === null ||
    transport.remote !== undefined ||
    transport.protocol !== 'udp' ||
    transport.address !== null ||
    reading.isMultihome === true ||
    // WireGuard answers from the address that was asked; of others nothing is known.
    programOf(reading.status, transport) !== 'OpenVPN'
  )
    return undefined;
  const answer = await routeOf({ ...question, from: null });
  const chosen = 'refused' in answer ? undefined : answer.route.prefsrc;
  if (chosen === undefined || chosen === destination) return undefined;
  const remedy = `in OpenVPN's configuration: local ${destination}, or multihome`;
  if (reading.isMultihome === false)
    return steps.stop(
      'socket',
      `OpenVPN is bound to no address and has no multihome: it answers from ${chosen}, not from ${destination}, and the client does not recognise that answer`,
      remedy,
      0,
    );
  steps.pass(
    'socket',
    `unless OpenVPN has multihome, which is not visible from here, it answers from ${chosen}, not from ${destination}`,
  );
  return undefined;
}

async function insteadOf(
  reading: TraceReading,
  { source, destination }: TraceQuery,
  role: Role,
  mark: number,
  routeOf: RouteOf,
): Promise<string> {
  const ofModule =
    reading.datapath === 'module' ? moduleMark(reading.policy) : markWithoutGateway(reading.policy, reading.plan);
  const question: RouteQuestion = {
    to: source,
    from: destination,
    iif: role.tunnel,
    mark: mark === 0 ? ofModule : mark,
    transport: role.transport,
  };
  const answer = await routeOf(question);
  return 'refused' in answer
    ? `they take the normal route, but there is none (${answer.refused}): they are lost`
    : `they take the normal route, ${describeRoute(reading, answer.route)}`;
}
