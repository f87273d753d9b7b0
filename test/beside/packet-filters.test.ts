import { describeNeighbours } from './describe.js';
import { PACKET_FILTER_NEIGHBOURS } from './neighbours/packet-filters.js';

describeNeighbours(PACKET_FILTER_NEIGHBOURS);
