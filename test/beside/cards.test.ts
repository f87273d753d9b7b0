import { describeNeighbours } from './describe.js';
import { CARD_NEIGHBOURS } from './neighbours/cards.js';

describeNeighbours(CARD_NEIGHBOURS);
