// Inline with real OpenVPN and the sidecar, without the module: the mocha suite of the same name. Needs `npm run build`. Arguments go to
// mocha, `--grep 'VLAN'` for instance.
import { runNode } from './guest/run-node.mjs';

runNode(
  'node_modules/mocha/bin/mocha.js',
  '--config',
  '.mocharc.json',
  '--reporter',
  'tap',
  '--forbid-pending',
  '--exit',
  'dist/test/vm/inline-nexthop.test.js',
  ...process.argv.slice(2),
);
