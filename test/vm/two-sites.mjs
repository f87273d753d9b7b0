// Two endpoints join two sites, a server's and a client's, one-arm and inline: the mocha suite of the same name. Needs
// `npm run build`.
import { runNode } from './guest/run-node.mjs';

runNode(
  'node_modules/mocha/bin/mocha.js',
  '--config',
  '.mocharc.json',
  '--reporter',
  'tap',
  '--forbid-pending',
  '--exit',
  'dist/test/vm/two-sites.test.js',
);
