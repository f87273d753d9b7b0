import assert from 'node:assert/strict';

import { Answers } from '../lab/answers.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { ping } from '../lab/traffic.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';

describe('a router that dies and is claimed by nobody, with gateways.probeIntervalMs', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  let answers: Answers;
  before(async () => {
    lab = await VpnLab.working({ transport: 'udp4', flags: ['--gateways-probe-interval-ms', '250'] }, 'client1');
    answers = await Answers.start(lab.party('hostA', 'v4'), lab.party('client1', 'v4'), 7971);
  });
  after(async () => {
    await answers?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  async function answersGoTo(mac: string): Promise<void> {
    await eventually(
      async () => {
        await using capture = await lab.capture('udp port 7971');
        await eventually(async () => (await capture.frames()).length > 5, { what: 'answers', timeoutMs: 2000 });
        return (await capture.frames()).every(({ destinationMac }) => destinationMac === mac);
      },
      { what: `answers go to ${mac}`, timeoutMs: 20_000 },
    );
  }

  it('is asked while it is silent, and stays', async () => {
    await answers.arrive(200);
    assert.ok(!lab.sidecar.log.some(({ event }) => event === 'gateway.dead'));
    await answersGoTo(MAC.r1);
  });

  it('is dead: an event and a counter say so, and its flows take the normal route', async () => {
    await lab.topology.switch.ip('link set to-r1 down');

    const { fields } = await lab.sidecar.event('gateway.dead', { timeoutMs: 20_000 });
    assert.deepEqual([fields['mac'], (fields['addresses'] as string[]).includes(ADDRESS.r1.v4)], [MAC.r1, true]);
    await answersGoTo(MAC.u);
    const dead = (await lab.sidecar.gateways()).filter(({ state }) => state === 'down');
    assert.deepEqual(
      dead.map(({ mac, deaths }) => [mac, deaths]),
      [[MAC.r1, 1]],
    );
  });

  it('is replaced by the router that has its address now, though that announced nothing', async () => {
    await lab.topology.r2.ip(`address add ${ADDRESS.r1.v4}/24 dev lan0`);

    await answersGoTo(MAC.r2);
    const { fields } = await lab.sidecar.event('gateway.moved');
    assert.deepEqual([fields['from'], fields['mac'], fields['address']], [MAC.r1, MAC.r2, ADDRESS.r1.v4]);
    assert.equal(typeof fields['flows'], 'number');
    await lab.topology.r2.ip(`address del ${ADDRESS.r1.v4}/24 dev lan0`);
  });

  it('has its flows again when it is back', async () => {
    await lab.topology.switch.ip('link set to-r1 up');
    await eventually(
      async () => (await ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'), { count: 1 })).received > 0,
      { what: 'a frame of r1' },
    );

    await answersGoTo(MAC.r1);
    assert.ok((await lab.sidecar.gateways()).every(({ state }) => state !== 'down'));
  });
});
