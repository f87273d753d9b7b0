import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';

import { Answers } from '../lab/answers.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { Flow, reach } from '../lab/traffic.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';

const FORGER = fileURLToPath(new URL('../lab/peers/forger.js', import.meta.url));
const FRAMES = 15_000;
/** Away at the first claim, and back with the router's next frame; once more where the routers' trust ran out. */
const MOVES_MAX = 4;

describe('a host that claims the address of a router that lives', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  let r1Id = 0;
  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4' });
    // All that it could be asked for is the address that is claimed.
    await lab.topology.r1.sysctl('net.ipv6.conf.lan0.disable_ipv6=1', 'net.ipv4.conf.lan0.arp_notify=1');
    await lab.startSidecar('--gateways-max', '64');
    await lab.connect('client1');
    for (const router of ['r1', 'r2'] as const) await reach(lab.topology[router], ADDRESS.endpoint.v4);
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  /** What happened to r1, for a failure. */
  async function story(): Promise<string> {
    const gateways = (await lab.sidecar.gateways()).filter(({ id }) => id === r1Id);
    const isOfIt = new RegExp(`"gateway":${r1Id},|"address":"${ADDRESS.r1.v4}"`);
    const events = lab.sidecar.process.lines.filter((line) => isOfIt.test(line));
    const neighbours = await lab.topology.endpoint.run(['ip', 'neigh', 'show', ADDRESS.r1.v4]);
    return [neighbours, JSON.stringify(gateways), ...events].join('\n');
  }

  it('moves nothing for longer than until its next frame, ten thousand times a second, and nothing of another router', async () => {
    await using through1 = await Flow.start('udp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'), {
      port: 7951,
      intervalMs: 20,
    });
    await using other = await Answers.start(lab.party('hostB', 'v4'), lab.party('client1', 'v4'), 7952);
    const { gateways: known } = await lab.sidecar.statusWhere(
      ({ gateways }) =>
        [MAC.r1, MAC.r2].every((mac) => gateways.some((one) => one.mac === mac && one.state === 'active')),
      'frames of both routers were counted',
    );
    r1Id = known.find(({ mac }) => mac === MAC.r1)?.id ?? 0;
    await using capture = await lab.capture('udp port 7952');
    await using forger = lab.topology.local.spawn([
      process.execPath,
      FORGER,
      'lan0',
      ADDRESS.r1.v4,
      ADDRESS.endpoint.v4,
    ]);
    const sent = (): number => Number(/sent (\d+)$/.exec(forger.lines.at(-1) ?? '')?.[1] ?? 0);
    await eventually(() => sent() >= FRAMES, { what: `${FRAMES} forged frames`, timeoutMs: 30_000 });

    // While it goes on, everything arrives.
    await Promise.all([through1.advance(40), other.arrive(100)]);
    const moves = (await lab.sidecar.gateways()).find((gateway) => gateway.id === r1Id)?.moves ?? Infinity;
    await forger.stop();

    assert.ok(moves <= MOVES_MAX, `${moves} moves\n${await story()}`);
    const frames = await capture.frames();
    assert.deepEqual([...new Set(frames.map(({ destinationMac }) => destinationMac))], [MAC.r2]);
    const { gateways } = await lab.sidecar.status();
    assert.ok(gateways.length <= 64, `${gateways.length} gateways`);
  });

  it('is no reason to miss that the router really gets another MAC address', async () => {
    const newMac = '02:00:00:00:01:09';
    await using capture = await lab.capture('udp port 7953 or arp');
    try {
      await using flow = await Answers.start(lab.party('hostA', 'v4'), lab.party('client1', 'v4'), 7953);
      await lab.topology.changeMac('r1', newMac);
      await flow.arrive(50, 20_000);
    } catch (error) {
      const frames = (await capture.frames()).map((frame) => JSON.stringify(frame));
      throw new Error([...frames.slice(0, 20), '...', ...frames.slice(-5), await story()].join('\n'), {
        cause: error,
      });
    }
    await lab.sidecar.statusWhere(({ gateways }) => gateways.some(({ mac }) => mac === newMac), 'the gateway moved');
  });
});
