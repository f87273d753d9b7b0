import assert from 'node:assert/strict';

import { describeFootprint, type Footprint, liveBytes } from '../lab/heap-probe.js';
import { Random } from '../lab/random.js';
import { SimulatedDay } from '../lab/simulated-day.js';
import { eventually, patient } from '../lab/wait.js';

const SEED = Number(process.env['CROWD_SEED'] ?? 1);
const HOURS = Number(process.env['DAY_HOURS'] ?? 24);
/** In the first quarter the sidecar's bounded memories of former clients fill; the second is compared with the last. */
const QUARTER = Math.max(1, Math.floor(HOURS / 4));
/** Collections do not find everything at once. */
const SPARE_BYTES = 2 * 1024 * 1024;

describe(`a simulated day of ${HOURS} hours, seed ${SEED}`, function () {
  this.timeout(patient(1_200_000));

  it('leaves the sidecar with the memory and the descriptors that it had, and the kernel right each hour', async () => {
    await using day = await SimulatedDay.begin(new Random(SEED));
    const footprints: Footprint[] = [];

    for (let hour = 0; hour < HOURS; hour += 1) {
      await day.hour(hour % 8 === 7);
      const count = await day.checkpoint();
      const footprint = await day.footprint();
      footprints.push(footprint);
      console.log(`      hour ${hour + 1}: ${count} clients, ${describeFootprint(footprint)}`);
    }

    console.log(`      ${[...day.counts].map(([event, count]) => `${event} ${count}`).join(', ')}`);
    const early = footprints.slice(QUARTER, 2 * QUARTER);
    const [before, after] = [early, footprints.slice(-QUARTER)].map((some) => Math.max(...some.map(liveBytes)));
    assert.ok(before !== undefined && after !== undefined);
    assert.ok(after < before + SPARE_BYTES, `${after} live bytes, ${before} before`);
    // A program that it runs for a moment has some.
    const least = Math.min(...early.map(({ descriptors }) => descriptors));
    await eventually(async () => (await day.footprint()).descriptors <= least, {
      what: `${least} descriptors, as before`,
    });
  });
});
