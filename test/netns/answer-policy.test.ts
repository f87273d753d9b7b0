import assert from 'node:assert/strict';

import { Answers } from '../lab/answers.js';
import { runGwmark } from '../lab/sidecar.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { ping, reach } from '../lab/traffic.js';
import { TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';

/** The address of the group, and the MAC that VRRP gives to number 51. */
const GROUP = { v4: '192.0.2.3', mac: '00:00:5e:00:01:33' };

describe('the setting gateways.answer', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  let answers: Answers;
  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4' });
    await Promise.all((['r1', 'r2'] as const).map(addToGroup));
    await lab.topology.r1.ip('link set vrrp51 up');
    await lab.startSidecar(
      '--gateways-answer',
      `lan0 virtual ${GROUP.v4} from ${MAC.r1} ${ADDRESS.r2.v4}, lan0 pin from ${MAC.u}`,
    );
    await lab.connect('client1');
    for (const router of ['r1', 'r2'] as const) await reach(lab.topology[router], ADDRESS.endpoint.v4);
    answers = await Answers.start(lab.party('hostA', 'v4'), lab.party('client1', 'v4'), 7961);
  });
  after(async () => {
    await answers?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  /** As keepalived does with use_vmac: ARP answers the group's MAC, forwarded frames have the router's own. */
  async function addToGroup(router: 'r1' | 'r2'): Promise<void> {
    await lab.topology[router].ip(
      'link add vrrp51 link lan0 type macvlan mode private',
      `link set vrrp51 address ${GROUP.mac}`,
      `address add ${GROUP.v4}/32 dev vrrp51`,
    );
    await lab.topology[router].sysctl('net.ipv4.conf.all.arp_ignore=1', 'net.ipv4.conf.all.arp_filter=0');
  }

  async function answersGoTo(mac: string): Promise<void> {
    await eventually(
      async () => {
        await using capture = await lab.capture('udp port 7961');
        await answers.arrive(10);
        const frames = await capture.frames();
        return frames.length > 0 && frames.every(({ destinationMac }) => destinationMac === mac);
      },
      { what: `answers go to ${mac}` },
    );
  }

  it('virtual: answers go to the group, whose frames have the MAC of the router, also after one asks with its address', async () => {
    await answersGoTo(GROUP.mac);
    await lab.sidecar.statusWhere(
      ({ gateways }) => gateways.filter(({ answer, mac }) => answer === 'virtual' && mac === GROUP.mac).length === 2,
      'both members are answered at the group',
    );

    await lab.topology.r1.ip(`address add ${GROUP.v4}/32 dev lan0`);
    await lab.topology.r1.run(['arping', '-q', '-c', '1', '-I', 'lan0', '-s', GROUP.v4, ADDRESS.endpoint.v4]);
    await lab.topology.r1.ip(`address del ${GROUP.v4}/32 dev lan0`);
    await answersGoTo(GROUP.mac);
  });

  it('virtual: they follow the master, and nothing moves for that', async () => {
    const before = (await lab.sidecar.status()).gateways.map(({ moves }) => moves);
    await lab.topology.r1.ip('link set vrrp51 down');
    await lab.topology.r2.ip('link set vrrp51 up');
    await using capture = await lab.capture('arp');
    await lab.topology.r2.run(['arping', '-q', '-A', '-c', '1', '-I', 'vrrp51', GROUP.v4]);

    // By r2 and u they take a longer way, and come as well.
    await answers.arrive(20);
    await answersGoTo(GROUP.mac);
    assert.ok((await capture.frames()).length > 0);
    assert.deepEqual(
      (await lab.sidecar.status()).gateways.map(({ moves }) => moves),
      before,
    );
  });

  it('gwmark forget: the gateway is gone until it sends', async () => {
    const forget = async (...words: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
      await runGwmark(lab.topology.endpoint, ['forget', ...words, '--control-socket', lab.sidecar.controlSocket]);
    const from = lab.sidecar.log.length;

    const { code, stdout, stderr } = await forget('lan0', MAC.r1.toUpperCase());
    assert.deepEqual([code, stdout], [0, `${MAC.r1} on lan0 is forgotten\n`], stderr);
    const { fields } = await lab.sidecar.event('gateway.gone', { from });
    assert.deepEqual([fields['mac'], fields['reason']], [MAC.r1, 'command']);
    await ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'));
    await lab.sidecar.event('gateway.found', { from });

    assert.equal((await forget('lan0', '02:00:00:00:77:77')).code, 1);
    assert.equal((await forget('lan0', '33:33:00:00:00:01')).code, 2);
  });

  it('pin: the upstream router keeps its flows whoever claims its address', async () => {
    await lab.topology.u.sysctl('net.ipv6.conf.lan0.disable_ipv6=1');
    await lab.topology.local.ip(`address add ${ADDRESS.u.v4}/32 dev lan0`);
    await lab.topology.local.run(['arping', '-q', '-A', '-c', '1', '-I', 'lan0', ADDRESS.u.v4]);
    await eventually(
      async () => (await lab.topology.endpoint.run(['ip', 'neigh', 'show', ADDRESS.u.v4])).includes(MAC.local),
      { what: 'the kernel believes it' },
    );

    const { received } = await ping(
      { namespace: lab.topology.endpoint, address: TUNNEL.endpoint.v4 },
      lab.party('client1', 'v4'),
    );
    assert.ok(received > 0);
    const { gateways, uplink } = await lab.sidecar.status();
    const upstream = gateways.find(({ id }) => id === uplink);
    assert.deepEqual([upstream?.mac, upstream?.answer, upstream?.moves], [MAC.u, 'pin', 0]);
  });
});
