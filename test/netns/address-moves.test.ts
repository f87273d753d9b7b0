import assert from 'node:assert/strict';

import { Answers } from '../lab/answers.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { ping, reach } from '../lab/traffic.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';

const ALIAS = '192.0.2.3';

/** The host `local` is no router: what is sent to it for others is lost. */
describe('an address of a router that a machine claims which does not route', function () {
  this.timeout(patient(40_000));
  let lab: VpnLab;
  let answers: Answers;
  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4' });
    await lab.topology.r1.ip(`address add ${ALIAS}/24 dev lan0`);
    await lab.startSidecar();
    await lab.connect('client1');
    await lab.introduceRouters();
    answers = await Answers.start(lab.party('hostA', 'v4'), lab.party('client1', 'v4'), 7901);
  });
  after(async () => {
    await answers?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  /** A gratuitous ARP, as a machine sends it that has just taken an address over. */
  async function claim(address: string): Promise<void> {
    await lab.topology.local.ip(`address add ${address}/32 dev lan0`);
    await lab.topology.local.run(['arping', '-q', '-A', '-c', '1', '-I', 'lan0', address]);
  }

  async function unclaim(address: string): Promise<void> {
    await lab.topology.local.ip(`address del ${address}/32 dev lan0`);
  }

  async function neighbourIs(address: string, mac: string): Promise<void> {
    const { endpoint } = lab.topology;
    await eventually(async () => (await endpoint.run(['ip', 'neigh', 'show', address, 'dev', 'lan0'])).includes(mac), {
      what: `${address} is at ${mac} for the endpoint's kernel`,
    });
  }

  it('is an alias: a flow that only answers stays with the router, which answers for its other addresses', async () => {
    await reach(lab.topology.r1, ADDRESS.endpoint.v4, ALIAS);
    await neighbourIs(ALIAS, MAC.r1);

    await claim(ALIAS);
    await neighbourIs(ALIAS, MAC.local);
    await answers.arrive(100);

    const { gateways } = await lab.sidecar.status();
    assert.ok(!gateways.some(({ state }) => state === 'moved'), JSON.stringify(gateways));
    await unclaim(ALIAS);
  });

  it('is all that it answers for: the flow goes astray until a frame of the router comes, and no longer', async () => {
    // What it has else does not answer.
    await lab.topology.r1.ip(`address del ${ALIAS}/24 dev lan0`);
    await lab.topology.r1.sysctl('net.ipv6.conf.lan0.disable_ipv6=1');
    await claim(ADDRESS.r1.v4);
    await lab.sidecar.statusWhere(
      ({ gateways }) => gateways.some(({ state, mac }) => state === 'moved' && mac === MAC.local),
      'what went to r1 goes to the other machine',
    );

    const { received } = await ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'));
    assert.ok(received > 0);
    await answers.arrive(100);
    await lab.sidecar.statusWhere(
      ({ gateways }) => !gateways.some(({ state }) => state === 'moved'),
      'it goes to r1 again',
    );
    await unclaim(ADDRESS.r1.v4);
  });

  it("is the upstream router's, whose frames of OpenVPN's clients go on: it stays the uplink", async () => {
    const from = lab.sidecar.log.length;
    await lab.topology.u.sysctl('net.ipv6.conf.lan0.disable_ipv6=1');
    await claim(ADDRESS.u.v4);

    // Its other addresses do not answer. Where no frame comes while it is waited for, the next one brings everything back.
    await eventually(
      () =>
        lab.sidecar.log
          .slice(from)
          .some(
            ({ event, fields }) =>
              (event === 'gateway.kept' || event === 'gateway.moved') &&
              fields['mac'] === MAC.u &&
              fields['by'] === 'frame',
          ),
      { what: 'a frame shows that it lives' },
    );
    const { gateways, uplink } = await lab.sidecar.statusWhere(
      (status) => !status.gateways.some(({ state }) => state === 'moved'),
      'nothing of it is elsewhere',
    );
    assert.equal(gateways.find(({ id }) => id === uplink)?.mac, MAC.u);
    await unclaim(ADDRESS.u.v4);
  });
});
