/**
 * Imported into a process under measurement (`node --import`): how long its event loop was away at most. SIGUSR2 begins
 * the measurement, the next one ends it and writes milliseconds into the file that BENCH_LOOP_FILE names.
 */
import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const file = process.env['BENCH_LOOP_FILE'] ?? '';
const delays = monitorEventLoopDelay({ resolution: 1 });
let isMeasuring = false;

process.on('SIGUSR2', () => {
  isMeasuring = !isMeasuring;
  if (isMeasuring) {
    delays.reset();
    delays.enable();
  } else {
    delays.disable();
    writeFileSync(file, String(delays.max / 1e6));
  }
});
