/**
 * What no machine of `npm test` leads to: the kernel module, inline, and beside an OpenVPN client. All else:
 * test/netns/trace.test.ts.
 */
import assert from 'node:assert/strict';

import { type ClientNetwork, clientSetName, EMPTY_PLAN, moduleMark, type Transport } from '../../../rules/index.js';
import type { ModuleGateway } from '../../../sidecar/datapath/module/proc.js';
import type { ModuleReading } from '../../../sidecar/datapath/module/module-reading.js';
import type { TracedRules } from '../../../sidecar/trace/rules-reading.js';
import { parseConntrackEntry } from '../../../sidecar/flows/conntrack-flows.js';
import { explain } from '../../../sidecar/trace/explain.js';
import type { TracedFlow, TraceReading } from '../../../sidecar/trace/reading.js';
import { type RouteAnswer, type RouteQuestion, routeWords } from '../../../sidecar/routing/route-question.js';
import type { Trace, TraceQuery } from '../../../sidecar/trace/trace.js';
import { LAN, network, POLICY, TUNNEL } from '../rules/sample-site.js';

const HOST = '203.0.113.9';
const CLIENT = '198.51.100.7';
const SERVER = '203.0.113.1';
const QUERY: TraceQuery = {
  source: HOST,
  destination: CLIENT,
  protocol: null,
  sourcePort: null,
  destinationPort: null,
};
const UNREACHABLE: RouteAnswer = { refused: 'Network is unreachable' };
const BARE: RouteAnswer = { route: { dst: HOST, dev: 'lan0' } };
const MARKS = `0x${moduleMark(POLICY).toString(16)}/0x${POLICY.markMask.toString(16)}`;
const CLIENT_NETWORK: ClientNetwork = { ...network(CLIENT), device: '' };
const TRANSPORT: Transport = {
  protocol: 'udp',
  address: null,
  families: [4, 6],
  port: 0,
  remote: { address: SERVER, port: 1194 },
};

function flow(
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

function gateway(id: number, fields: Partial<ModuleGateway> = {}): ModuleGateway {
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

function present(
  records: readonly string[] = [`reply_mark ${MARKS}`, `orig_mark ${MARKS}`],
  isEnabled = true,
): ModuleReading {
  return { state: 'present', isEnabled, records };
}

const RULES: TracedRules = {
  name: 'nftables table inet gwmark',
  owner: 'ours',
  clients: [CLIENT_NETWORK],
  setOf: clientSetName,
  captured: null,
  transports: [],
  datapath: 'module',
};

/** The module at work, with a flow of the host through gateway 1. */
function moduleWith(
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
    module: { reading, gateways },
    status: null,
    inForce: { from: 'command', differences: [] },
    sourceLists: [],
    ...fields,
  };
}

async function told(
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

function assertStopped({ goesByMac, steps, sentence }: Trace, step: string, text: RegExp): void {
  const last = steps.at(-1);
  assert.deepEqual([goesByMac, last?.step, last?.ok], [false, step, false], JSON.stringify(steps));
  assert.match(last?.text ?? '', text);
  assert.ok(last?.remedy);
  assert.match(sentence, /do not go to the router's MAC address/);
}

describe('explain, with the kernel module', () => {
  it('follows the labels of a flow to the MAC', async () => {
    const { goesByMac, sentence, steps, instead, asked } = await told(moduleWith());

    assert.deepEqual(
      [goesByMac, sentence, instead],
      [true, 'answers of this flow leave lan0 to 02:00:00:00:00:01 (gateway 1)', null],
    );
    assert.deepEqual(
      steps.map(({ step }) => step),
      ['rules', 'destination', 'selection', 'module', 'conntrack', 'gateway', 'device', 'forwarding'],
    );
    assert.deepEqual(asked, []);
  });

  it('names the MAC that a gateway moved to', async () => {
    const { sentence, steps } = await told(moduleWith({}, present(), [gateway(1, { send: '02:00:00:00:00:ff' })]));

    assert.match(sentence, /to 02:00:00:00:00:ff/);
    assert.match(steps.find(({ step }) => step === 'gateway')?.text ?? '', /moved from 02:00:00:00:00:01/);
  });

  it('stops at a module that is not there, of another ABI, not enabled, or that looks for another mark', async () => {
    assertStopped(await told(moduleWith({}, { state: 'absent' })), 'module', /not loaded/);
    assertStopped(
      await told(moduleWith({}, { state: 'foreign', firstLine: 'gwmark 99' })),
      'module',
      /another version \("gwmark 99"\)/,
    );
    assertStopped(await told(moduleWith({}, present([], false))), 'module', /not enabled/);
    assertStopped(
      await told(moduleWith({}, present(['reply_mark 0x32/0xff', `orig_mark ${MARKS}`]))),
      'module',
      /uses reply_mark 0x32\/0xff, but the rules set/,
    );
  });

  it('stops at a flow without a gateway, and says that its answers are lost or where they go', async () => {
    const without = moduleWith({ opened: { bySource: [flow(HOST, CLIENT)], byDestination: [] } });

    const lost = await told(without);
    const routed = await told(without, QUERY, { route: { dst: HOST, gateway: '192.0.2.1', dev: 'lan0' } });

    assertStopped(lost, 'conntrack', /no gateway in its labels/);
    assert.match(lost.instead ?? '', /Network is unreachable.*lost/);
    assert.deepEqual(
      lost.asked.map(({ iif, mark }) => [iif, mark]),
      [['tun0', moduleMark(POLICY)]],
    );
    assert.match(routed.instead ?? '', /via 192\.0\.2\.1 dev lan0/);
  });

  it('stops at a gateway that is gone', async () => {
    assertStopped(await told(moduleWith({}, present(), [])), 'gateway', /gateway 1 is gone/);
  });

  it('follows what a client opens to where its answer came from, and to the uplink before there was one', async () => {
    const opened = (ids: Partial<TracedFlow>): TraceReading =>
      moduleWith({ opened: { bySource: [], byDestination: [flow(CLIENT, HOST, ids)] } });

    assert.match(
      (await told(opened({ destinationGateway: 3 }))).sentence,
      /leaves lan0 to 02:00:00:00:00:03 \(gateway 3\)/,
    );
    assert.match((await told(opened({}))).sentence, /leaves lan0 to 02:00:00:00:00:02 \(gateway 2, the uplink\)/);
    assert.match((await told(opened({ destinationGateway: 9 }))).sentence, /gateway 2, the uplink/);
    assertStopped(
      await told(opened({}), QUERY, { route: { dst: HOST, gateway: '192.0.2.1', dev: 'lan0' } }),
      'route',
      /a route of the endpoint comes before the uplink/,
    );
  });

  it('says so where the module knows no uplink', async () => {
    const opened = moduleWith({ opened: { bySource: [], byDestination: [flow(CLIENT, HOST)] } }, present(), [
      gateway(1),
    ]);

    assertStopped(await told(opened), 'gateway', /no uplink/);
  });
});

describe('explain, inline', () => {
  const bridge = { links: [{ ...LAN, device: 'br0', isBridge: true }], tunnels: [TUNNEL], taps: [] };

  it('stops where the bridge table is missing, or does not have the client', async () => {
    assertStopped(
      await told(moduleWith({ devices: bridge })),
      'capture',
      /table bridge gwmark is missing: frames for 198\.51\.100\.7 pass br0/,
    );
    assertStopped(
      await told(moduleWith({ devices: bridge, rules: { ...RULES, captured: [] } })),
      'capture',
      /does not have 198\.51\.100\.7/,
    );
  });

  it('passes where it has the client, and for the own address on the tunnel', async () => {
    const captures = { devices: bridge, rules: { ...RULES, captured: [CLIENT_NETWORK] } };
    const own = TUNNEL.addresses[0]?.address ?? '';

    const client = await told(moduleWith(captures));
    const tunnel = await told(
      moduleWith({
        ...captures,
        rules: { ...RULES, captured: [] },
        opened: { bySource: [flow(HOST, own, { gateway: 1 })], byDestination: [] },
      }),
      { ...QUERY, destination: own },
      BARE,
    );

    assert.deepEqual([client.goesByMac, tunnel.goesByMac], [true, true]);
    assert.ok(client.steps.some(({ step }) => step === 'capture'));
  });
});

describe('explain, beside an OpenVPN client', () => {
  const query = { ...QUERY, source: SERVER, destination: '192.0.2.5' };
  const opened = { bySource: [], byDestination: [flow('192.0.2.5', SERVER, {}, [40_000, 1194])] };

  it('follows what the client sends to its server to the uplink of the module', async () => {
    const { sentence, steps, asked } = await told(
      moduleWith({ rules: { ...RULES, transports: [TRANSPORT] }, opened }),
      query,
      BARE,
    );

    assert.match(
      sentence,
      /what 192\.0\.2\.5 sends to 203\.0\.113\.1 leaves lan0 to 02:00:00:00:00:02 \(gateway 2, the uplink\)/,
    );
    assert.match(steps[1]?.text ?? '', /the address of the OpenVPN client of server 203\.0\.113\.1, udp port 1194/);
    assert.deepEqual(
      asked.map((question) => routeWords(question).join(' ')),
      Array.from({ length: 2 }, () => `route get ${SERVER} from 192.0.2.5 ipproto 17 dport 1194`),
    );
  });

  it('stops where its socket finds no route at all', async () => {
    assertStopped(
      await told(moduleWith({ rules: { ...RULES, transports: [TRANSPORT] }, opened }), query),
      'socket',
      /the socket cannot send/,
    );
  });

  it('says which way round to ask', async () => {
    const { steps } = await told(moduleWith({ rules: { ...RULES, transports: [TRANSPORT] }, opened }), {
      ...query,
      source: query.destination,
      destination: query.source,
    });

    assert.match(steps.at(-1)?.remedy ?? '', /gwmark trace 203\.0\.113\.1 192\.0\.2\.5/);
  });
});
