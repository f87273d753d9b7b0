/** The kernel module at work, read for a trace. */
import assert from 'node:assert/strict';

import { type ClientNetwork, clientSetName, EMPTY_PLAN, moduleMark, type Transport } from '../../../rules/index.js';
import type { ModuleGateway } from '../../../sidecar/datapath/module/proc.js';
import type { ModuleReading } from '../../../sidecar/datapath/module/module-reading.js';
import type { TracedRules } from '../../../sidecar/trace/rules-reading.js';
import { parseConntrackEntry } from '../../../sidecar/flows/conntrack-flows.js';
import { explain } from '../../../sidecar/trace/explain.js';
import type { TracedFlow, TracedModule, TraceReading } from '../../../sidecar/trace/reading.js';
import type { RouteAnswer, RouteQuestion } from '../../../sidecar/routing/route-question.js';
import type { Trace, TraceQuery } from '../../../sidecar/trace/trace.js';
import { LAN, network, POLICY, TUNNEL } from '../rules/sample-site.js';

export const HOST = '203.0.113.9';
export const CLIENT = '198.51.100.7';
export const SERVER = '203.0.113.1';
export const QUERY: TraceQuery = {
  source: HOST,
  destination: CLIENT,
  protocol: null,
  sourcePort: null,
  destinationPort: null,
};
export const UNREACHABLE: RouteAnswer = { refused: 'Network is unreachable' };
export const BARE: RouteAnswer = { route: { dst: HOST, dev: 'lan0' } };
export const MARKS = `0x${moduleMark(POLICY).toString(16)}/0x${POLICY.markMask.toString(16)}`;
export const CLIENT_NETWORK: ClientNetwork = { ...network(CLIENT), device: '' };
export const TRANSPORT: Transport = {
  protocol: 'udp',
  address: null,
  families: [4, 6],
  port: 0,
  remote: { address: SERVER, port: 1194 },
};

export function flow(
  source: string,
  destination: string,
  ids: Partial<Pick<TracedFlow, 'gateway' | 'destinationGateway'>> = {},
  ports = [5000, 80],
): TracedFlow {
  const [sport, dport] = ports;
  const line = `ipv4 2 udp 17 29 src=${source} dst=${destination} sport=${sport} dport=${dport} src=${destination} dst=${source} sport=${dport} dport=${sport} mark=0 use=1`;
  const entry = parseConntrackEntry(line);
  assert.ok(entry);
  return { ...entry, gateway: 0, destinationGateway: 0, ...ids };
}

export function gateway(id: number, fields: Partial<ModuleGateway> = {}): ModuleGateway {
  const mac = `02:00:00:00:00:0${id}`;
  return {
    id,
    device: 'lan0',
    mac,
    send: mac,
    isUplink: false,
    learned: 1,
    sentPackets: 0,
    sentBytes: 0,
    moves: 0,
    isOrdered: false,
    idleMs: 0,
    addresses: [],
    ...fields,
  };
}

export function present(
  records: readonly string[] = [`reply_mark ${MARKS}`, `orig_mark ${MARKS}`],
  isEnabled = true,
): ModuleReading {
  return { state: 'present', isEnabled, records };
}

export const RULES: TracedRules = {
  name: 'nftables table inet gwmark',
  owner: 'ours',
  clients: [CLIENT_NETWORK],
  setOf: clientSetName,
  captured: null,
  transports: [],
  datapath: 'module',
};

/** Nothing that the kernel alone would refuse. */
const KERNEL_ALONE: Omit<TracedModule, 'reading' | 'gateways'> = {
  stats: new Map(),
  ipsec: [],
  strictTunnels: new Map(),
};

/** The module at work, with a flow of the host through gateway 1. */
export function moduleWith(
  fields: Partial<TraceReading> = {},
  reading: ModuleReading = present(),
  gateways: readonly ModuleGateway[] = [gateway(1), gateway(2, { isUplink: true }), gateway(3)],
): TraceReading {
  return {
    policy: POLICY,
    datapath: 'module',
    rules: RULES,
    devices: { links: [LAN], tunnels: [TUNNEL], taps: [] },
    allDevices: [{ ifindex: 2, ifname: 'lan0', flags: ['BROADCAST', 'UP', 'LOWER_UP'], link_type: 'ether' }],
    unforwarded: new Set(),
    plan: EMPTY_PLAN,
    opened: { bySource: [flow(HOST, CLIENT, { gateway: 1 })], byDestination: [] },
    others: { filters: [], ruleset: [], firewall: 'nftables', strandedLink: null },
    ports: [],
    module: { reading, gateways, ...KERNEL_ALONE },
    status: null,
    inForce: { from: 'command', differences: [] },
    sourceLists: [],
    ...fields,
  };
}

export async function told(
  reading: TraceReading,
  query: TraceQuery = QUERY,
  answer: RouteAnswer = UNREACHABLE,
): Promise<Trace & { readonly asked: readonly RouteQuestion[] }> {
  const asked: RouteQuestion[] = [];
  const trace = await explain(reading, query, async (question) => {
    asked.push(question);
    return answer;
  });
  return { ...trace, asked };
}

export function assertStopped({ goesByMac, steps, sentence }: Trace, step: string, text: RegExp): void {
  const last = steps.at(-1);
  assert.deepEqual([goesByMac, last?.step, last?.ok], [false, step, false], JSON.stringify(steps));
  assert.match(last?.text ?? '', text);
  assert.ok(last?.remedy);
  assert.match(sentence, /do not go to the router's MAC address/);
}
