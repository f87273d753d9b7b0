/** The rows of test/beside that take seconds; `npm run test:beside` has all of them. */
import { describeNeighbours } from '../beside/describe.js';
import { NEIGHBOURS } from '../beside/neighbours.js';

describeNeighbours(
  NEIGHBOURS.filter(({ isQuick }) => isQuick === true),
  { isShort: true },
);
