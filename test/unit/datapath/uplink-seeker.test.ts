import assert from 'node:assert/strict';
import { UplinkSeeker } from '../../../sidecar/datapath/uplink-seeker.js';

const router = (last: string): { device: string; mac: string } => ({ device: 'lan0', mac: `02:00:00:00:00:${last}` });
const [A, B, C] = [router('0a'), router('0b'), router('0c')];

describe('UplinkSeeker', () => {
  it('tries one router after the other, five seconds each, and starts again', () => {
    const seeker = new UplinkSeeker();

    const tried = [0, 1000, 5000, 9999, 10_000, 15_000].map(
      (nowMs) => seeker.choose('seeking', [A, B, C], false, nowMs)?.mac ?? '-',
    );

    assert.deepEqual(tried, [A.mac, '-', B.mac, '-', C.mac, A.mac]);
  });

  it('does nothing while nobody seeks, or nobody is known', () => {
    const seeker = new UplinkSeeker();

    assert.equal(seeker.choose('none', [A], false, 0), null);
    assert.equal(seeker.choose('satisfied', [A], false, 60_000), null);
    assert.equal(seeker.choose('seeking', [], false, 60_000), null);
    assert.deepEqual(seeker.choose('seeking', [A], false, 60_001), A);
  });

  it('stays with a router that answers came from for twenty seconds', () => {
    const seeker = new UplinkSeeker();

    assert.equal(seeker.choose('seeking', [A, B], true, 0), null);
    assert.equal(seeker.choose('seeking', [A, B], true, 19_999), null);
    assert.deepEqual(seeker.choose('seeking', [A, B], true, 20_000), A);
  });

  it('goes on with the next when the one it tried is gone', () => {
    const seeker = new UplinkSeeker();
    assert.deepEqual(seeker.choose('seeking', [B, C], false, 0), B);

    assert.deepEqual(seeker.choose('seeking', [C], false, 5000), C);
  });
});
