import assert from 'node:assert/strict';
import { RepairPace } from '../../../sidecar/routing/repair-pace.js';

describe('RepairPace', () => {
  it('lets a burst of repairs follow each other at once', () => {
    const pace = new RepairPace();
    for (let repair = 1; repair <= 5; repair += 1) {
      assert.equal(pace.pauseMs(repair), 0);
      assert.ok(!pace.repaired(repair));
    }
    assert.ok(!pace.isContested(5));
  });

  it('says once that another program insists, and pauses ever longer, up to half a minute', () => {
    const pace = new RepairPace();
    const pauses: number[] = [];
    let nowMs = 0;
    let said = 0;
    for (let repair = 1; repair <= 14; repair += 1) {
      if (pace.repaired(nowMs)) said += 1;
      pauses.push(pace.pauseMs(nowMs));
      nowMs += pace.pauseMs(nowMs);
    }
    assert.equal(said, 1);
    assert.deepEqual(pauses, [0, 0, 0, 0, 0, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000]);
  });

  it('starts again after it was calm', () => {
    const pace = new RepairPace();
    for (let repair = 1; repair <= 8; repair += 1) pace.repaired(0);
    assert.ok(pace.isContested(10_000));
    assert.ok(!pace.isContested(10_001));
    assert.ok(!pace.repaired(10_001));
    assert.equal(pace.pauseMs(10_001), 0);
  });
});
