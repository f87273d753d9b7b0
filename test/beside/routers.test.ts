import { describeNeighbours } from './describe.js';
import { ROUTER_NEIGHBOURS } from './neighbours/routers.js';

describeNeighbours(ROUTER_NEIGHBOURS);
