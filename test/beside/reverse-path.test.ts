import { describeNeighbours } from './describe.js';
import { REVERSE_PATH_NEIGHBOURS } from './neighbours/reverse-path.js';

describeNeighbours(REVERSE_PATH_NEIGHBOURS);
