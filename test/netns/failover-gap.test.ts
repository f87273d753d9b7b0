/**
 * How long answers go to a router that is gone, beyond the routers' own switch: from the first claim of the one that
 * took over. One failover, or as many as FAILOVER_ROUNDS says, each of a new pair, with medians. Everything shares the
 * processors of this machine, keepalived too, which takes a tenth of a second of one to become master.
 */
import assert from 'node:assert/strict';

import { Answers } from '../lab/answers.js';
import type { Frame } from '../lab/frame.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { Flow } from '../lab/traffic.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { VrrpPair } from '../lab/vrrp.js';
import { patient } from '../lab/wait.js';

const ROUNDS = Number(process.env['FAILOVER_ROUNDS'] ?? 1);
const PORT = { answers: 7851, fromHost: 7852, fromClient: 7853 };

/** Of one failover, milliseconds. */
interface Gaps {
  /** Of flows whose router sends nothing of them: from its successor's claim to the first answer to that. */
  readonly answers: number;
  /** From the first frame through the new router to the last answer to the old one; 0: there was none. */
  readonly fromHost: number;
  readonly fromClient: number;
}

for (const flows of [1, 10_000]) {
  describe(`a VRRP pair whose master dies under answers of ${flows.toLocaleString('en')} flows`, function () {
    this.timeout(patient(60_000) * ROUNDS);

    it('has them at the other router soon after it claims the address, and loses nothing of TCP in either direction', async () => {
      const rounds: Gaps[] = [];
      while (rounds.length < ROUNDS) rounds.push(await failOver(flows));

      for (const what of ['answers', 'fromHost', 'fromClient'] as const) {
        const times = rounds.map((gaps) => gaps[what]).toSorted((a, b) => a - b);
        const median = times[Math.floor(times.length / 2)];
        console.log(`      ${what}: median ${median} ms of ${ROUNDS}, ${times[0]} to ${times.at(-1)} ms`);
      }
    });
  });
}

async function failOver(flows: number): Promise<Gaps> {
  await using lab = await VpnLab.create({ transport: 'udp4' });
  await using pair = await VrrpPair.create(lab.topology, 'r1', lab.directory);
  await lab.startSidecar();
  await lab.connect('client1');
  await lab.introduceRouters();
  const [host, client] = [lab.party('hostA', 'v4'), lab.party('client1', 'v4')];
  await using answers = await Answers.start(host, client, PORT.answers, { flows, intervalMs: flows === 1 ? 2 : 10 });
  await using fromHost = await Flow.start('tcp', host, client, { port: PORT.fromHost });
  await using fromClient = await Flow.start('tcp', client, host, { port: PORT.fromClient });
  await using capture = await lab.capture(`arp or portrange ${PORT.answers}-${PORT.fromClient}`);
  await Promise.all([fromHost.advance(20), fromClient.advance(20), answers.arrive(50)]);

  await pair.failOver();

  await Promise.all([fromHost.advance(50, 20_000), fromClient.advance(50, 20_000), answers.arrive(500, 20_000)]);
  const gaps = gapsOf(await capture.frames(), pair.backupMac);
  const summaries = [await fromHost.stop(), await fromClient.stop()];
  assert.deepEqual(
    summaries.map(({ lost, disordered }) => ({ lost, disordered })),
    summaries.map(() => ({ lost: 0, disordered: 0 })),
  );
  return gaps;
}

function gapsOf(frames: readonly Frame[], newMac: string): Gaps {
  const claim = frames.find(({ arp }) => arp?.senderMac === newMac && arp.sender === ADDRESS.r1.v4);
  assert.ok(claim, 'the other router claims the address');
  const answers = frames.filter(
    ({ sourceMac, ports, timeSeconds }) =>
      sourceMac === MAC.endpoint && ports?.source === PORT.answers && timeSeconds >= claim.timeSeconds,
  );
  const first = answers.findIndex(({ destinationMac }) => destinationMac === newMac);
  assert.ok(first >= 0, 'answers go to the other router');
  // Of all flows at once.
  assert.deepEqual(
    answers.slice(first).filter(({ destinationMac }) => destinationMac !== newMac),
    [],
  );
  const ofFlow = (port: number): number => {
    const own = frames.filter(({ ports }) => ports?.source === port || ports?.destination === port);
    const begin = own.find(({ sourceMac }) => sourceMac === newMac);
    assert.ok(begin, `a frame of port ${port} came through the other router`);
    const stray = own.findLast(
      ({ destinationMac, timeSeconds }) => destinationMac === MAC.r1 && timeSeconds >= begin.timeSeconds,
    );
    return stray === undefined ? 0 : millisecondsBetween(begin, stray);
  };
  return {
    answers: millisecondsBetween(claim, answers[first] ?? claim),
    fromHost: ofFlow(PORT.fromHost),
    fromClient: ofFlow(PORT.fromClient),
  };
}

function millisecondsBetween(from: Frame, to: Frame): number {
  return Math.round((to.timeSeconds - from.timeSeconds) * 1e4) / 10;
}
