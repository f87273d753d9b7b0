/** `/metrics`, `/livez` and `/readyz` of a sidecar at work. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import path from 'node:path';
import { text } from 'node:stream/consumers';

import { runPromtool } from '../protocol/metrics/promtool.js';
import { MAC } from '../lab/topology.js';
import { ping } from '../lab/traffic.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { eventually, growth, patient } from '../lab/wait.js';
import { assertExchange } from './matrix.js';

const DATAPATH = process.env['GWMARK_DATAPATH'] ?? 'nexthop';

describe('metrics of a sidecar at work', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  let socket: string;

  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4' });
    socket = path.join(lab.pki.directory, 'metrics.sock');
    await lab.startSidecar('--metrics-listen', `unix:${socket}`);
    await lab.connect('client1');
    await lab.introduceRouters();
    // The module knows a router once a flow came through it.
    await assertExchange('ping', lab.party('hostA', 'v4'), lab.party('client1', 'v4'));
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  async function get(page: string): Promise<{ readonly status: number; readonly body: string }> {
    const outgoing = request({ socketPath: socket, path: page, agent: false });
    const responded = once(outgoing, 'response');
    outgoing.end();
    const [response] = (await responded) as [IncomingMessage];
    return { status: response.statusCode ?? 0, body: await text(response) };
  }

  async function value(series: string): Promise<number> {
    const { body } = await get('/metrics');
    const line = body.split('\n').find((each) => each.startsWith(`${series} `));
    return Number(line?.slice(line.lastIndexOf(' ') + 1));
  }

  async function sent(): Promise<number> {
    const { body } = await get('/metrics');
    const line = body
      .split('\n')
      .find((each) => each.startsWith('gwmark_gateway_sent_packets_total{') && each.includes(MAC.r1));
    return Number(line?.slice(line.lastIndexOf(' ') + 1) ?? Number.NaN);
  }

  const pingThrice = async (): Promise<void> => {
    assert.equal((await ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'), { count: 3 })).received, 3);
  };

  it('pass promtool check metrics', async () => {
    const { status, body } = await get('/metrics');

    assert.equal(status, 200);
    assert.deepEqual(await runPromtool(['check', 'metrics'], body), { code: 0, output: '' });
  });

  it('say what is so: ready, one client, its addresses, the routers', async () => {
    const { body } = await get('/metrics');

    for (const line of ['gwmark_ready 1', 'gwmark_clients 1', 'gwmark_firewall_elements 4', 'gwmark_uplink_known 1'])
      assert.ok(body.split('\n').includes(line), `${line}\n${body}`);
    assert.ok(body.includes(`datapath="${DATAPATH}"`) && body.includes(`mac="${MAC.r1}"`));
    assert.ok((await value('gwmark_apply_duration_seconds_count')) >= 2);
    assert.equal(body.includes('gwmark_module_events_total{'), DATAPATH === 'module');
  });

  it('count what is sent by MAC, to the packet', async () => {
    assert.equal(await growth(sent, pingThrice, 3, 'packets sent to r1'), 3);
  });

  it('tell by /readyz that the table is missing, and count its repair', async () => {
    const before = await value('gwmark_repairs_total{object="firewall"}');
    assert.deepEqual(await get('/readyz'), { status: 200, body: 'ready\n' });
    // Its own look may be quicker than our question; the reason is then in the log of the repair alone.
    await lab.topology.endpoint.run(['nft', 'delete', 'table', 'inet', 'gwmark']);

    await eventually(async () => (await value('gwmark_repairs_total{object="firewall"}')) === before + 1, {
      what: 'the repair is counted',
    });
    await eventually(async () => (await get('/readyz')).status === 200, { what: 'ready again' });
  });

  it('tell by /readyz, with the reason, that OpenVPN is gone; /livez stays', async () => {
    await lab.server.stop();

    const notReady = await eventually(
      async () => {
        const answer = await get('/readyz');
        return answer.status === 503 && answer;
      },
      { what: 'not ready' },
    );

    assert.ok(notReady.body.includes(`unix:${lab.server.managementSocket}: `), notReady.body);
    assert.deepEqual(await get('/livez'), { status: 200, body: 'ok\n' });
    assert.equal(await value('gwmark_ready'), 0);
  });
});
