/** The rows of test/beside that need a kernel of their own. Run by beside.sh. */
import { describeNeighbours } from '../beside/describe.js';
import { DCO_NEIGHBOURS } from '../beside/neighbours/dco.js';
import { NEIGHBOURS } from '../beside/neighbours.js';

const dco: readonly unknown[] = Object.values(DCO_NEIGHBOURS);

describeNeighbours(NEIGHBOURS.filter((neighbour) => neighbour.where === 'vm' && !dco.includes(neighbour)));
