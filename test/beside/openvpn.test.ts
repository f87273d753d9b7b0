import { describeNeighbours } from './describe.js';
import { OPENVPN_NEIGHBOURS } from './neighbours/openvpn.js';

describeNeighbours(OPENVPN_NEIGHBOURS);
