/**
 * A program for a test: writes a routing plan to the kernel, reads it back, and says whether they differ. Expects the
 * devices lan0 and tun0.
 */
import { EMPTY_PLAN, compileRouting, diffRouting, isEmptyRoutingDiff } from '../../../rules/index.js';
import { addRouting, readRouting, removeRouting } from '../../../sidecar/routing/plan.js';
import { POLICY, gateway, site } from '../../unit/rules/sample-site.js';

const plan = compileRouting(site({ gateways: [gateway(1)], uplink: gateway(1), clientRouteFamilies: [4, 6] }));
await addRouting(POLICY, diffRouting(EMPTY_PLAN, plan));
const diff = diffRouting(await readRouting(POLICY), plan);
await removeRouting(POLICY, diffRouting(plan, EMPTY_PLAN));
console.log(isEmptyRoutingDiff(diff) ? 'nothing differs' : JSON.stringify(diff));
