// Two endpoints join two sites, a server's and a client's, one-arm and inline: the mocha suite of the same name. Needs
// `npm run build`.
import { runSuite } from './guest/run-node.mjs';

runSuite('two-sites');
