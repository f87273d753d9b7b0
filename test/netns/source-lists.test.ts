import assert from 'node:assert/strict';

import { runGwmark } from '../lab/sidecar.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { ping, reach } from '../lab/traffic.js';
import { TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';

const isActive = ({ mac, state }: { readonly mac: string; readonly state: string }, wanted: string): boolean =>
  mac === wanted && state === 'active';

describe('gateways.exclude, gateways.only', function () {
  this.timeout(patient(60_000));

  it('lets a balancer pass clients on that takes no answers (DSR): they go to the router that is configured', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    const { u, r2 } = lab.topology;
    // r2 stands for the balancer: the router sends to the endpoint by it, and what it got back it would lose.
    await u.ip(`route add ${ADDRESS.endpoint.v4}/32 via ${ADDRESS.r2.v4} dev lan0`);
    await r2.ip('route add blackhole 203.0.113.0/24');
    await lab.startSidecar(
      '--gateways-exclude',
      `lan0 ${ADDRESS.r2.v4} transport`,
      '--uplink',
      `lan0 ${ADDRESS.u.v4}`,
    );
    await lab.sidecar.statusWhere(
      ({ sourceLists }) => sourceLists?.[0]?.macs.includes(MAC.r2) === true,
      'the address of the balancer is resolved',
    );
    await using capture = await lab.capture('udp port 1194');

    await lab.connect('client1');

    const frames = await capture.frames();
    const toClient = frames.filter(({ sourceMac }) => sourceMac === MAC.endpoint);
    assert.ok(
      frames.some(({ sourceMac }) => sourceMac === MAC.r2),
      'its packets come from the balancer',
    );
    assert.deepEqual([...new Set(toClient.map(({ destinationMac }) => destinationMac))], [MAC.u]);
    const { gateways } = await lab.sidecar.status();
    assert.ok(!gateways.some((gateway) => isActive(gateway, MAC.r2)), 'nothing was learnt from it');

    // Flows of clients are another matter: those of hostB come from r2 as well, and are answered by it.
    await reach(r2, ADDRESS.endpoint.v4);
    // The module needs no introduction, and learns from the flow's own frames.
    await lab.sidecar.statusWhere(
      (status) => status.datapath === 'module' || status.gateways.some(({ mac }) => mac === MAC.r2),
      'r2 is known',
    );
    await ping(lab.party('hostB', 'v4'), lab.party('client1', 'v4'));
    await lab.sidecar.statusWhere(
      (status) => status.gateways.some((gateway) => isActive(gateway, MAC.r2)),
      'flows of clients are learnt from it',
    );
  });

  it('learns clients’ flows from the listed router alone, and follows its address to another MAC', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    await lab.startSidecar('--gateways-only', `${ADDRESS.r1.v4} clients`);
    await lab.connect('client1');
    await Promise.all(
      (['r1', 'r2'] as const).map(async (router) => await reach(lab.topology[router], ADDRESS.endpoint.v4)),
    );
    await lab.sidecar.statusWhere(
      ({ sourceLists }) => sourceLists?.[0]?.macs.includes(MAC.r1) === true,
      'r1 is resolved',
    );
    await using capture = await lab.capture('icmp');

    for (const host of ['hostA', 'hostB'] as const)
      assert.ok((await ping(lab.party(host, 'v4'), lab.party('client1', 'v4'))).received > 0, host);

    const answersTo = (frames: Awaited<ReturnType<typeof capture.frames>>, address: string): string[] => [
      ...new Set(
        frames
          .filter(
            ({ ip, sourceMac }) =>
              sourceMac === MAC.endpoint && ip?.destination === address && ip.source === TUNNEL.client1.v4,
          )
          .map(({ destinationMac }) => destinationMac),
      ),
    ];
    const frames = await capture.frames();
    assert.deepEqual(answersTo(frames, ADDRESS.hostA.v4), [MAC.r1]);
    assert.deepEqual(answersTo(frames, ADDRESS.hostB.v4), [MAC.u], 'the normal route, that is the uplink');

    const trace = await runGwmark(lab.topology.endpoint, [
      'trace',
      ADDRESS.hostB.v4,
      TUNNEL.client1.v4,
      '--proto',
      'icmp',
      '--control-socket',
      lab.sidecar.controlSocket,
    ]);
    assert.equal(trace.code, 1);
    assert.match(trace.stdout, /gateways\.only/);

    const newMac = '02:00:00:00:01:09';
    await lab.topology.r1.sysctl('net.ipv4.conf.lan0.arp_notify=1');
    await lab.topology.changeMac('r1', newMac);
    await lab.sidecar.statusWhere(
      ({ sourceLists }) => sourceLists?.[0]?.macs.join() === newMac,
      'the list means the new MAC',
    );
    assert.ok((await ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'))).received > 0);
    await eventually(async () => answersTo(await capture.frames(), ADDRESS.hostA.v4).includes(newMac), {
      what: 'answers go to the new MAC',
    });
  });

  it('names an address that nobody has', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    await lab.startSidecar('--gateways-only', '192.0.2.77');

    const { stdout } = await runGwmark(lab.topology.endpoint, [
      'doctor',
      '--json',
      '--control-socket',
      lab.sidecar.controlSocket,
    ]);

    // Printed by the program under test.
    const { findings } = JSON.parse(stdout) as { findings: { check: string; severity: string; found: string }[] };
    const found = findings.filter(({ check }) => check === 'source-lists');
    assert.deepEqual(
      found.map(({ severity }) => severity),
      ['warn'],
    );
    assert.match(found[0]?.found ?? '', /192\.0\.2\.77/);
  });
});
