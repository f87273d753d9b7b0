import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { orAborted } from '../../../sidecar/system/or-aborted.js';

const NEVER = new Promise<never>(() => undefined);

describe('orAborted', () => {
  it('ends with the promise, and leaves no listener at the signal', async () => {
    const { signal } = new AbortController();

    await orAborted(Promise.resolve(), signal);
    await assert.rejects(orAborted(Promise.reject(new Error('refused')), signal), /refused/);

    assert.deepEqual(getEventListeners(signal, 'abort'), []);
  });

  it('ends with the signal, also one that was aborted before', async () => {
    const controller = new AbortController();
    const waiting = orAborted(NEVER, controller.signal);
    controller.abort();

    await waiting;
    await orAborted(NEVER, controller.signal);

    assert.deepEqual(getEventListeners(controller.signal, 'abort'), []);
  });
});
