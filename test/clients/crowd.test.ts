import assert from 'node:assert/strict';

import { Crowd } from '../lab/crowd.js';
import { CrowdLife } from '../lab/crowd-life.js';
import { describeFootprint, type Footprint, liveBytes } from '../lab/heap-probe.js';
import { Random } from '../lab/random.js';
import { eventually, patient } from '../lab/wait.js';

const SEED = Number(process.env['CROWD_SEED'] ?? 1);
const SIZE = Number(process.env['CROWD_SIZE'] ?? 200);
const SECONDS = Number(process.env['CROWD_SECONDS'] ?? 300);
/** Events between two checkpoints. */
const STEPS = 60;
/** Collections do not find everything at once. */
const SPARE_BYTES = 2 * 1024 * 1024;

describe(`${SIZE} real clients for ${SECONDS} seconds, seed ${SEED}`, function () {
  this.timeout(patient(SECONDS * 1000 + 600_000));

  it('are in the kernel at each checkpoint as OpenVPN has them, and leave the sidecar as it was', async () => {
    await using crowd = await Crowd.create({ size: SIZE, clientAuth: true, keepalive: [2, 8] });
    const life = new CrowdLife(crowd, new Random(SEED));
    await life.fill();
    await life.checkpoint();
    const startedMs = Date.now();

    // In the first third, the sidecar's bounded memories fill.
    let early: Footprint | null = null;
    let last = await crowd.probe.read(crowd.sidecar);
    for (let checkpoint = 1; Date.now() - startedMs < SECONDS * 1000; checkpoint += 1) {
      for (let step = 0; step < STEPS; step += 1) await life.step();
      const count = await life.checkpoint();
      last = await crowd.probe.read(crowd.sidecar);
      if (Date.now() - startedMs > (SECONDS * 1000) / 3) early ??= last;
      console.log(`      checkpoint ${checkpoint}: ${count} clients, ${describeFootprint(last)}`);
    }

    console.log(`      ${[...life.counts].map(([event, count]) => `${event} ${count}`).join(', ')}`);
    assert.ok(early);
    const { descriptors } = early;
    assert.ok(
      liveBytes(last) < liveBytes(early) + SPARE_BYTES,
      `at the end ${describeFootprint(last)}; before ${describeFootprint(early)}`,
    );
    // A program that it runs for a moment has some.
    await eventually(async () => (await crowd.probe.read(crowd.sidecar)).descriptors <= descriptors, {
      what: `${descriptors} descriptors, as before`,
    });
  });
});
