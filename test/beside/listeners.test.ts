import { describeNeighbours } from './describe.js';
import { LISTENER_NEIGHBOURS } from './neighbours/listeners.js';

describeNeighbours(LISTENER_NEIGHBOURS);
