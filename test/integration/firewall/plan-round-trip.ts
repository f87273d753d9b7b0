/**
 * A program for a test: writes a routing plan to the kernel, reads it back, and says whether they differ. Expects the
 * devices lan0 and tun0. Argument: `netlink` or `ip`.
 */
import { EMPTY_PLAN, compileRouting, diffRouting, isEmptyRoutingDiff } from '../../../rules/index.js';
import { IP_ROUTING } from '../../../sidecar/routing/ip-routing.js';
import { NetlinkRouting } from '../../../sidecar/routing/netlink/netlink-routing.js';
import { POLICY, gateway, site } from '../../unit/rules/sample-site.js';

const plan = compileRouting(site({ gateways: [gateway(1)], uplink: gateway(1), clientRouteFamilies: [4, 6] }));
const routing = process.argv[2] === 'ip' ? IP_ROUTING : await NetlinkRouting.open();
await routing.add(POLICY, diffRouting(EMPTY_PLAN, plan));
const diff = diffRouting(await routing.read(POLICY), plan);
await routing.remove(POLICY, diffRouting(plan, EMPTY_PLAN));
console.log(isEmptyRoutingDiff(diff) ? 'nothing differs' : JSON.stringify(diff));
