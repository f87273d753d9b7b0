import { HELD_ANSWERS, gatewayMark, markWithoutGateway, nexthopAddress, routingTables } from '../../rules/index.js';
import { gatewayNeighbours } from '../datapath/nexthop/adoption.js';
import { findDevice, findForwarding, type Target } from './device.js';
import type { FoundFlow } from './flow-found.js';
import type { TraceReading } from './reading.js';
import type { Role } from './role.js';
import { type RouteOf, type RouteQuestion, routeWords } from '../routing/route-question.js';
import { describeRoute, gatewayOfHop } from './route.js';
import { type Steps, Stopped, type TraceQuery } from './trace.js';

const REPAIR = 'a running sidecar repairs this within a second: see "gwmark status"';

/** From the mark of a flow to the MAC: gateway, device, rule, route, neighbour, and then the kernel's own word. */
export async function followNexthop(
  reading: TraceReading,
  query: TraceQuery,
  role: Role,
  flow: FoundFlow | Stopped,
  steps: Steps,
  routeOf: RouteOf,
): Promise<string | Stopped> {
  if (flow instanceof Stopped) return flow;
  if (flow.id === 0) return followUplink(reading, query, role, steps, routeOf);
  const { policy, plan } = reading;
  const { id } = flow;
  const family = query.source.includes(':') ? 6 : 4;
  const mark = gatewayMark(policy, id);
  const target = findGateway(reading, id, steps);
  if (target instanceof Stopped) return target;
  const stopped = findDevice(reading, target, mark, steps) ?? findForwarding(reading, role, mark, steps);
  if (stopped !== undefined) return stopped;

  const table = routingTables(policy).gateway(id);
  const rule = plan.rules.find(
    (candidate) => candidate.family === family && candidate.table === table && candidate.fwmark?.value === mark,
  );
  if (rule === undefined)
    return steps.stop('rule', `no ip rule for the mark 0x${mark.toString(16)} selects table ${table}`, REPAIR, mark);
  steps.pass('rule', `ip rule ${rule.priority}: mark 0x${mark.toString(16)} selects table ${table}`);
  const route = plan.routes.find((candidate) => candidate.family === family && candidate.table === table);
  if (route === undefined) return steps.stop('route', `table ${table} is empty`, REPAIR, mark);
  steps.pass('route', `table ${table}: default via ${route.via ?? '?'} dev ${route.device}`);
  const hop = nexthopAddress(policy, family, id);
  const neighbour = plan.neighbours.find(({ address, device }) => address === hop && device === target.device);
  if (neighbour === undefined || neighbour.mac === null)
    return steps.stop('neighbour', `the next hop ${hop} has no MAC address`, REPAIR, mark);
  steps.pass('neighbour', `${hop} is ${neighbour.mac}, permanently`);

  const question: RouteQuestion = {
    to: query.source,
    from: query.destination,
    iif: role.tunnel,
    mark,
    transport: null,
  };
  const words = `ip ${routeWords(question).join(' ')}`;
  const answer = await routeOf(question);
  if ('refused' in answer)
    return steps.stop(
      'kernel',
      `${words}: ${answer.refused}`,
      'check "ip rule" and rp_filter, and run gwmark doctor',
      mark,
    );
  const { gateway, dev } = answer.route;
  if (gateway !== hop || dev !== target.device) {
    return steps.stop(
      'kernel',
      `${words} says ${describeRoute(reading, answer.route)}: a rule of another program comes first`,
      'check "ip rule" for rules before those of gwmark, and run gwmark doctor',
      mark,
    );
  }
  steps.pass('kernel', `${words}: via ${hop} dev ${dev}`);
  const what = flow.isOpenedByDestination
    ? `what ${query.destination} sends to ${query.source} leaves`
    : 'answers of this flow leave';
  return `${what} ${target.device} to ${neighbour.mac} (gateway ${id})`;
}

function findGateway({ policy, plan, allDevices, status }: TraceReading, id: number, steps: Steps): Target | Stopped {
  const known = gatewayNeighbours(policy, plan).get(id) ?? status?.gateways.find((gateway) => gateway.id === id);
  if (known === undefined) {
    const isVacant = plan.neighbours.some(
      ({ address, mac }) =>
        mac === null && [4, 6].some((family) => address === nexthopAddress(policy, family as 4 | 6, id)),
    );
    if (isVacant)
      return steps.stop(
        'gateway',
        `the router of this flow got the id ${id} by its first packet, and is not known yet: the kernel holds its answers, up to ${HELD_ANSWERS}`,
        status === null
          ? 'start gwmark run, which finds out who it is'
          : 'a running sidecar finds out within a second who it is: see "gwmark gateways"',
        0,
      );
    const down = allDevices.find(({ link_type: type, flags }) => type === 'ether' && !flags.includes('UP'));
    const text = `gateway ${id} is gone${down === undefined ? '' : `: its device ${down.ifname} is down`}`;
    return steps.stop(
      'gateway',
      text,
      down === undefined ? 'let that router send a packet; see "gwmark gateways"' : `ip link set ${down.ifname} up`,
      0,
    );
  }
  const { device, mac } = known;
  steps.pass('gateway', `gateway ${id} is ${mac} on ${device}`);
  return { id, device, mac };
}

/** What a client or OpenVPN itself opens has no mark: the endpoint's own routes come first, and then the uplink. */
async function followUplink(
  reading: TraceReading,
  query: TraceQuery,
  role: Role,
  steps: Steps,
  routeOf: RouteOf,
): Promise<string | Stopped> {
  const question: RouteQuestion = {
    to: query.source,
    from: query.destination,
    iif: role.tunnel,
    mark: markWithoutGateway(reading.policy, reading.plan),
    transport: role.transport,
  };
  const words = `ip ${routeWords(question).join(' ')}`;
  const answer = await routeOf(question);
  if ('refused' in answer)
    return steps.stop(
      'route',
      `${words}: ${answer.refused}: there is neither a route nor an uplink`,
      'gwmark learns the uplink from OpenVPN\'s first own packet; see "gwmark gateways", and the setting uplink',
      0,
    );
  const uplink = gatewayOfHop(reading, answer.route.gateway);
  if (uplink === null)
    return steps.stop(
      'route',
      `${words} says ${describeRoute(reading, answer.route)}: a route of the endpoint comes before the uplink`,
      'none needed; without that route it would go to the uplink',
      0,
    );
  steps.pass('route', `${words}: ${describeRoute(reading, answer.route)}`);
  const stopped = findDevice(reading, uplink, 0, steps) ?? findForwarding(reading, role, 0, steps);
  return (
    stopped ??
    `what ${query.destination} sends to ${query.source} leaves ${uplink.device} to ${uplink.mac} (gateway ${uplink.id}, the uplink)`
  );
}
