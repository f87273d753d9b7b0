import assert from 'node:assert/strict';

import { TableRepairs } from '../../../sidecar/kernel/table-repairs.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';

/** As where another program flushes the ruleset after each repair; like a real one, a damage is told once. */
function flushedEachTime(now: () => number): {
  readonly repairs: TableRepairs;
  readonly log: ReturnType<typeof captureLog>;
} {
  const log = captureLog();
  let isDamaged = true;
  const repairs = new TableRepairs({
    tables: {
      inspect: async () => {
        const state = isDamaged ? 'missing' : 'intact';
        isDamaged = false;
        return { state, counters: null };
      },
    },
    reconciler: {
      isSettled: true,
      exclusively: async (work) => await work(),
      verifyElements: async () => 0,
      rewriteFirewall: () => {
        isDamaged = true;
      },
      applied: async () => undefined,
    },
    keeper: null,
    table: 'gwmark',
    onDamaged: () => undefined,
    logger: log.logger,
    now,
  });
  return { repairs, log };
}

describe('TableRepairs', () => {
  it('restores a table that is flushed at each look for a burst, then waits and says who wins', async () => {
    let nowMs = 0;
    const { repairs, log } = flushedEachTime(() => nowMs);
    assert.equal(repairs.problem, null);

    for (let look = 0; look < 20; look += 1) await repairs.look();

    assert.equal(log.of('firewall.repaired').length, 6);
    assert.deepEqual(log.of('firewall.contested')[0]?.fields, { table: 'gwmark', found: 'missing' });
    assert.equal(log.of('firewall.contested').length, 1);
    assert.match(repairs.problem ?? '', /another program repeatedly changes table gwmark/);

    nowMs = 1001;
    for (let look = 0; look < 20; look += 1) await repairs.look();

    assert.equal(log.of('firewall.repaired').length, 7, 'once more after the first pause');

    nowMs = 60_000;
    assert.equal(repairs.problem, null, 'calm again');
  });
});
