import { describeNeighbours } from './describe.js';
import { OTHER_VPN_NEIGHBOURS } from './neighbours/other-vpns.js';

describeNeighbours(OTHER_VPN_NEIGHBOURS);
