// Entry point of `npm run demo:inline` in the guest, see scripts/demo-inline.sh.
import { main } from './inline.js';

process.exitCode = await main();
