/**
 * Loaded into a sidecar by `--import`, with `--expose-gc`: at SIGUSR2 it collects garbage and writes what it has to the
 * file that HEAP_PROBE names.
 */
import { readdirSync, renameSync, writeFileSync } from 'node:fs';

const file = process.env['HEAP_PROBE'] ?? '';
let count = 0;

process.on('SIGUSR2', () => {
  globalThis.gc?.();
  // Finalizers run after a collection, and leave more to collect.
  setImmediate(() => {
    globalThis.gc?.();
    count += 1;
    const { heapUsed, external, rss } = process.memoryUsage();
    const descriptors = readdirSync('/proc/self/fd').length;
    writeFileSync(`${file}.part`, JSON.stringify({ count, heapUsed, external, rss, descriptors }));
    renameSync(`${file}.part`, file);
  });
});
