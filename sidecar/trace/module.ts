import { moduleMark } from '../../rules/index.js';
import { MODULE_ABI } from '../datapath/module/proc.js';
import { findDevice, findForwarding, type Target } from './device.js';
import { findFlow, type FoundFlow } from './flow-found.js';
import { findIpsec, findSourceRefused, forbiddenBy } from './kernel-policy.js';
import type { TracedModule, TraceReading } from './reading.js';
import type { Role } from './role.js';
import { type RouteOf, type RouteQuestion, routeWords } from '../routing/route-question.js';
import { describeRoute } from './route.js';
import { type Steps, Stopped, type TraceQuery } from './trace.js';

/** From the labels of a flow to the MAC: the module's state and marks, the flow, its gateway, the device. */
export async function followModule(
  reading: TraceReading,
  query: TraceQuery,
  role: Role,
  steps: Steps,
  routeOf: RouteOf,
): Promise<string | Stopped> {
  const module = findModule(reading, steps);
  if (module instanceof Stopped) return module;
  const { gateways } = module;
  const flow = findFlow(reading, query, role, steps);
  if (flow instanceof Stopped) return flow;
  const target = flow.isOpenedByDestination
    ? await findOpened(reading, gateways, query, role, flow, steps, routeOf)
    : gatewayOf(gateways, flow.id, steps);
  if (target instanceof Stopped) return target;
  const stopped =
    findDevice(reading, target, 0, steps) ??
    findForwarding(reading, role, 0, steps) ??
    (await findSourceRefused(reading, query, role, module, steps, routeOf)) ??
    findIpsec(reading, query, module, steps);
  if (stopped !== undefined) return stopped;
  const what = flow.isOpenedByDestination
    ? `what ${query.destination} sends to ${query.source} leaves`
    : 'answers of this flow leave';
  const uplink = flow.isOpenedByDestination && target.id !== flow.id ? ', the uplink' : '';
  return `${what} ${target.device} to ${target.mac} (gateway ${target.id}${uplink})`;
}

function findModule({ module, policy }: TraceReading, steps: Steps): TracedModule | Stopped {
  const repair = 'a running sidecar configures it within a second, or says in "gwmark status" why it cannot';
  if (module === null || module.reading.state === 'absent')
    return steps.stop(
      'module',
      'the kernel module gwmark is not loaded',
      'modprobe gwmark, or restart the sidecar with datapath: nexthop',
      0,
    );
  const { reading } = module;
  if (reading.state === 'foreign')
    return steps.stop(
      'module',
      `the kernel module has another version ("${reading.firstLine}")`,
      `load the module of this version, with ABI ${MODULE_ABI}`,
      0,
    );
  if (!reading.isEnabled)
    return steps.stop('module', 'the kernel module is loaded, but not enabled in this network namespace', repair, 0);
  const wanted = { value: moduleMark(policy), mask: policy.markMask };
  for (const name of ['reply_mark', 'orig_mark']) {
    const text = reading.records.find((record) => record.startsWith(`${name} `))?.slice(name.length + 1) ?? 'nothing';
    const [value, mask] = text.split('/').map(Number);
    if (value !== wanted.value || mask !== wanted.mask)
      return steps.stop(
        'module',
        `the module uses ${name} ${text}, but the rules set ${hex(wanted.value)}/${hex(wanted.mask)}`,
        `${repair}; the settings of this command may differ from the sidecar's (--config)`,
        0,
      );
  }
  steps.pass(
    'module',
    `the module is enabled and uses the mark ${hex(wanted.value)}/${hex(wanted.mask)} that the rules set`,
  );
  return module;
}

function gatewayOf(gateways: TracedModule['gateways'], id: number, steps: Steps): Target | Stopped {
  const gateway = gateways.find((candidate) => candidate.id === id);
  if (gateway === undefined)
    return steps.stop(
      'gateway',
      `gateway ${id} is gone: its device went down, or it was flushed`,
      'gwmark learns it again from the next packet; see "gwmark gateways"',
      0,
    );
  const { device, mac, send } = gateway;
  steps.pass('gateway', `gateway ${id} is ${send} on ${device}${send === mac ? '' : `, moved from ${mac}`}`);
  return { id, device, mac: send };
}

/**
 * What DST opened goes to where the first answer came from. Before there was one it goes by a route if there is one,
 * else to the uplink. What the endpoint sends itself needs some route first, and one to the bare wire does not count.
 */
async function findOpened(
  reading: TraceReading,
  gateways: TracedModule['gateways'],
  query: TraceQuery,
  role: Role,
  { id }: FoundFlow,
  steps: Steps,
  routeOf: RouteOf,
): Promise<Target | Stopped> {
  if (id !== 0 && gateways.some((gateway) => gateway.id === id)) return gatewayOf(gateways, id, steps);
  const question: RouteQuestion = {
    to: query.source,
    from: query.destination,
    iif: role.tunnel,
    mark: role.tunnel === null ? 0 : moduleMark(reading.policy),
    transport: role.transport,
  };
  const words = `ip ${routeWords(question).join(' ')}`;
  const answer = await routeOf(question);
  const forbidden = forbiddenBy(answer);
  if (forbidden !== null)
    return steps.stop(
      'route',
      `${words} says ${'refused' in answer ? answer.refused : ''}: a route of the type ${forbidden} forbids it, and comes before the uplink`,
      'none needed if that is intended; without that route it would go to the uplink',
    );
  const isBare = 'route' in answer && role.tunnel === null && answer.route.gateway === undefined;
  if ('route' in answer && !isBare)
    return steps.stop(
      'route',
      `${words} says ${describeRoute(reading, answer.route)}: a route of the endpoint comes before the uplink`,
      'none needed; without that route it would go to the uplink',
      0,
    );
  steps.pass(
    'route',
    'route' in answer
      ? `${words}: ${describeRoute(reading, answer.route)}, which the module replaces`
      : `${words}: ${answer.refused}, so the module sends it`,
  );
  const uplink = gateways.find(({ isUplink }) => isUplink);
  if (uplink === undefined)
    return steps.stop(
      'gateway',
      'the module knows no uplink',
      'gwmark learns it from OpenVPN\'s first own packet; see "gwmark gateways", and the setting uplink',
      0,
    );
  return gatewayOf(gateways, uplink.id, steps);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
