// Entry point of `npm run demo`, see scripts/demo.sh: run.js [WEB-PORT], with a live page before the end.
import { serveLivePage } from './live-page.js';
import { main } from './one-arm.js';

const [webPort] = process.argv.slice(2);
const ended = new AbortController();
let isServing = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // The namespaces are removed by an exit handler, which a default signal would skip.
    if (!isServing || ended.signal.aborted) process.exit(1);
    ended.abort();
  });
}
process.exitCode = await main(
  webPort === undefined
    ? undefined
    : async (lab) => {
        isServing = true;
        await serveLivePage(lab, Number(webPort), ended.signal);
      },
);
