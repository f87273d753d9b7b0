import assert from 'node:assert/strict';

import { Answers } from '../lab/answers.js';
import { runGwmark } from '../lab/sidecar.js';
import { MAC } from '../lab/topology.js';
import { ping } from '../lab/traffic.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';

describe('gwmark move', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  let answers: Answers;
  before(async () => {
    lab = await VpnLab.working({ transport: 'udp4' }, 'client1');
    answers = await Answers.start(lab.party('hostA', 'v4'), lab.party('client1', 'v4'), 7931);
  });
  after(async () => {
    await answers?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  const move = async (...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    await runGwmark(lab.topology.endpoint, ['move', ...args, '--control-socket', lab.sidecar.controlSocket]);

  /** The MAC that the next answers of the flow go to. */
  async function answersGoTo(mac: string): Promise<void> {
    await eventually(
      async () => {
        await using capture = await lab.capture('udp port 7931');
        // By r2 they take a longer way, and come as well.
        await answers.arrive(10);
        const frames = await capture.frames();
        return frames.length > 0 && frames.every(({ destinationMac }) => destinationMac === mac);
      },
      { what: `answers go to ${mac}` },
    );
  }

  it('sends answers of a router to another one, whatever frames and claims of the first say', async () => {
    const { code, stdout, stderr } = await move('lan0', MAC.r1, MAC.r2.toUpperCase(), '--json');
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(stdout), { device: 'lan0', from: MAC.r1, to: MAC.r2 });

    await ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'));
    await answersGoTo(MAC.r2);

    const { gateways } = await lab.sidecar.status();
    const moved = gateways.find(({ isOrdered }) => isOrdered === true);
    assert.deepEqual([moved?.mac, moved?.state], [MAC.r2, 'moved']);
  });

  it('holds beyond a restart of the sidecar', async () => {
    await lab.sidecar.killHard();
    await lab.sidecar.restart();

    await ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'));
    await answersGoTo(MAC.r2);
    assert.ok(
      (await lab.sidecar.status()).gateways.some(({ mac, isOrdered }) => mac === MAC.r2 && isOrdered === true),
    );
  });

  it('ends with the MAC itself', async () => {
    const { code, stdout } = await move('lan0', MAC.r1, MAC.r1);

    assert.deepEqual([code, stdout], [0, `replies of ${MAC.r1} on lan0 go to ${MAC.r1} again\n`]);
    await answersGoTo(MAC.r1);
    assert.ok((await lab.sidecar.status()).gateways.every(({ isOrdered }) => isOrdered !== true));
  });

  it('refuses a MAC that is no gateway, with 1, and words that are no order, with 2', async () => {
    const unknown = await move('lan0', '02:00:00:00:77:77', MAC.r2);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /no gateway is learnt from frames of 02:00:00:00:77:77 on lan0/);

    const wrong = await move('lan0', MAC.r1, '33:33:00:00:00:01');
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /two unicast MAC addresses/);
  });

  it('takes orders from the owner of the process alone: the socket has mode 0600, and the control socket none', async () => {
    const { endpoint } = lab.topology;
    const { controlSocket } = lab.sidecar;
    assert.equal((await endpoint.run(['stat', '-c', '%a', `${controlSocket}.admin`])).trim(), '600');
    const { stdout } = await endpoint.tryRun([
      'curl',
      '-s',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      '-X',
      'POST',
      '--unix-socket',
      controlSocket,
      'http://gwmark/move',
    ]);
    assert.equal(stdout, '405');
  });
});
