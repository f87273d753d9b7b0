import assert from 'node:assert/strict';
import type { NeighbourState } from '../../../sidecar/datapath/datapath.js';
import { LatestNeighbours } from '../../../sidecar/datapath/nexthop/latest-neighbours.js';
import { A, B, macOf } from './gateway-words.js';

const of = (address: string, mac: string | null): NeighbourState => ({ device: 'lan0', address, mac });

describe('LatestNeighbours', () => {
  it('keeps the last claim of each address, in order, however many there were', () => {
    const latest = new LatestNeighbours();
    assert.equal(latest.add([of('192.0.2.9', null)]), false);
    assert.equal(latest.add([of('192.0.2.1', A)]), true);
    for (let index = 0; index < 10_000; index += 1) assert.equal(latest.add([of('192.0.2.1', macOf(index))]), false);
    latest.add([of('192.0.2.2', A), of('192.0.2.1', B), of('192.0.2.1', null)]);

    assert.deepEqual(latest.take(), [of('192.0.2.2', A), of('192.0.2.1', B)]);
    assert.deepEqual(latest.take(), []);
    assert.equal(latest.add([of('192.0.2.1', A)]), true);
  });
});
