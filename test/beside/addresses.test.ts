import { describeNeighbours } from './describe.js';
import { ADDRESS_NEIGHBOURS } from './neighbours/addresses.js';

describeNeighbours(ADDRESS_NEIGHBOURS);
