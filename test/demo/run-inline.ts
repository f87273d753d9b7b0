// Entry point of `npm run demo:inline`, see scripts/demo-inline.sh. The argument is the datapath.
import { main } from './inline.js';

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  // The namespaces are removed by an exit handler, which a default signal would skip.
  process.once(signal, () => process.exit(1));
}
process.exitCode = await main(process.argv[2] === 'module' ? 'module' : 'nexthop');
