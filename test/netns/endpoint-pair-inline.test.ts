import { InlinePlace } from '../lab/pair-place.js';
import { describePair } from './endpoint-pair.js';

describePair('inline', () => InlinePlace.create(), [
  ['tcp', 'hostA', 'site', 'v4'],
  ['tcp', 'hostA', 'client1', 'v6'],
  ['tcp', 'site', 'hostA', 'v6'],
  ['udp', 'hostA', 'client1', 'v4'],
]);
