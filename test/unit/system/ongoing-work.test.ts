import assert from 'node:assert/strict';
import { OngoingWork } from '../../../sidecar/system/ongoing-work.js';

describe('OngoingWork', () => {
  it('is idle when all that began is over, however it ended, and what began meanwhile too', async () => {
    const work = new OngoingWork();
    const order: string[] = [];
    const failing = work.add(new Promise<void>((_, reject) => setImmediate(() => reject(new Error('refused')))));
    failing.catch(() => {
      order.push('first failed');
      void work.add(new Promise<void>((resolve) => setImmediate(resolve)).then(() => order.push('second is over')));
    });
    await work.idle().then(() => order.push('idle'));

    assert.deepEqual(order, ['first failed', 'second is over', 'idle']);
    await assert.rejects(failing, /refused/);
  });

  it('is idle at once where nothing was begun', async () => {
    await new OngoingWork().idle();
  });
});
