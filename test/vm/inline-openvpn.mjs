// Inline with real OpenVPN and the sidecar: the mocha suite of the same name. Needs `npm run build`. Arguments go to
// mocha, `--grep 'VLAN'` for instance.
import { runSuite } from './guest/run-node.mjs';

runSuite('inline-openvpn');
