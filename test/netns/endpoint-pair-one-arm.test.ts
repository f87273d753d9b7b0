import { OneArmPlace } from '../lab/pair-place.js';
import { describePair } from './endpoint-pair.js';

describePair('one-arm', () => OneArmPlace.create(), [
  ['tcp', 'hostA', 'site', 'v4'],
  ['tcp', 'hostB', 'client1', 'v6'],
  ['tcp', 'site', 'hostA', 'v6'],
  ['udp', 'hostA', 'client1', 'v4'],
]);
