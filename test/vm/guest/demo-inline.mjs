// The guest's part of `npm run demo:inline -- --datapath module`, see scripts/demo-inline.sh. The guest's console always is a terminal;
// `--plain` says that nobody looks at one.
import { runNode } from './run-node.mjs';

if (process.argv.includes('--plain')) process.env.NO_COLOR = '1';
runNode('dist/test/demo/run-inline.js', 'module');
