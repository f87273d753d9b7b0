import { describeNeighbours } from './describe.js';
import { PATH_MTU_NEIGHBOURS } from './neighbours/path-mtu.js';

describeNeighbours(PATH_MTU_NEIGHBOURS);
