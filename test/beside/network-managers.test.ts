import { describeNeighbours } from './describe.js';
import { NETWORK_MANAGER_NEIGHBOURS } from './neighbours/network-managers.js';

describeNeighbours(NETWORK_MANAGER_NEIGHBOURS);
