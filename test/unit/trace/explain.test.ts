/**
 * What no machine of `npm test` leads to: the kernel module, inline, and beside an OpenVPN client. All else:
 * test/netns/trace.test.ts.
 */
import assert from 'node:assert/strict';

import { moduleMark } from '../../../rules/index.js';
import type { TracedFlow, TraceReading } from '../../../sidecar/trace/reading.js';
import { routeWords } from '../../../sidecar/routing/route-question.js';
import { LAN, POLICY, TUNNEL } from '../rules/sample-site.js';
import {
  assertStopped,
  BARE,
  CLIENT,
  CLIENT_NETWORK,
  flow,
  gateway,
  HOST,
  MARKS,
  moduleWith,
  present,
  QUERY,
  RULES,
  SERVER,
  told,
  TRANSPORT,
} from './sample-module.js';

function openedWith(ids: Partial<TracedFlow>): TraceReading {
  return moduleWith({ opened: { bySource: [], byDestination: [flow(CLIENT, HOST, ids)] } });
}

/** Whether the step `capture` passes, without the module; nothing if it is not taken. */
async function captureSteps(more: Partial<TraceReading>): Promise<readonly boolean[]> {
  const { steps } = await told({ ...moduleWith(), datapath: 'nexthop', module: null, ...more });
  return steps.filter(({ step }) => step === 'capture').map(({ ok }) => ok);
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

  it('prefers, of several flows, one whose gateway is there', async () => {
    const flows = [flow(HOST, CLIENT, { gateway: 7 }), flow(HOST, CLIENT, { gateway: 1 }, [5001, 80])];

    const { goesByMac, steps } = await told(moduleWith({ opened: { bySource: flows, byDestination: [] } }));

    assert.equal(goesByMac, true);
    assert.match(
      steps.find(({ step }) => step === 'conntrack')?.text ?? '',
      /:5001 .*one of 2; others have gateway 7: select one with --proto and ports: gateway 1$/,
    );
  });

  it('follows what a client opens to where its answer came from, and to the uplink before there was one', async () => {
    assert.match(
      (await told(openedWith({ destinationGateway: 3 }))).sentence,
      /leaves lan0 to 02:00:00:00:00:03 \(gateway 3\)/,
    );
    assert.match((await told(openedWith({}))).sentence, /leaves lan0 to 02:00:00:00:00:02 \(gateway 2, the uplink\)/);
    assert.match((await told(openedWith({ destinationGateway: 9 }))).sentence, /gateway 2, the uplink/);
    assertStopped(
      await told(openedWith({}), QUERY, { route: { dst: HOST, gateway: '192.0.2.1', dev: 'lan0' } }),
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

  it('asks the same without the module, of a bridge with ports, and not where iptables captures nothing', async () => {
    const cable = { mac: '02:00:00:00:00:10', ports: [{ device: 'p1', mac: '02:00:00:00:00:11' }], vlan: null };
    const devices = { ...bridge, links: bridge.links.map((link) => ({ ...link, cable })) };
    assert.deepEqual(await captureSteps({ devices }), [false]);
    assert.deepEqual(await captureSteps({ devices, rules: { ...RULES, captured: [CLIENT_NETWORK] } }), [true]);
    assert.deepEqual(await captureSteps({ devices: bridge }), []);
    assert.deepEqual(await captureSteps({ devices, rules: { ...RULES, name: 'iptables-nft chains gwmark-*' } }), []);
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
