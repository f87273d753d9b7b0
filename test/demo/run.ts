// Entry point of `npm run demo`, see scripts/demo.sh.
import { main } from './one-arm.js';

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // The namespaces are removed by an exit handler, which a default signal would skip.
  process.once(signal, () => process.exit(1));
}
process.exitCode = await main();
