import assert from 'node:assert/strict';
import { Holds } from '../../../sidecar/sessions/holds.js';

describe('Holds', () => {
  let nowMs = 0;
  let holds: Holds;
  beforeEach(() => {
    nowMs = 0;
    holds = new Holds(() => nowMs);
    holds.add({ name: 'alice', server: null, untilMs: 10_000, message: null });
    holds.add({ name: 'bob', server: 'unix:/a', untilMs: 20_000, message: 'why' });
  });

  it('keeps out by common name or user name, at one server or at all', () => {
    assert.equal(holds.find('unix:/b', ['alice', undefined])?.name, 'alice');
    assert.equal(holds.find('unix:/b', ['certificate', 'alice'])?.name, 'alice');
    assert.equal(holds.find('unix:/a', ['bob'])?.message, 'why');
    assert.equal(holds.find('unix:/b', ['bob']), null);
    assert.equal(holds.find('unix:/a', [undefined, '']), null);
  });

  it('ends by itself at its time', () => {
    const [alice] = holds.list();
    assert.ok(alice);
    nowMs = 9001;
    assert.equal(holds.secondsLeft(alice), 1);
    assert.ok(holds.find('unix:/a', ['alice']));

    nowMs = 10_000;

    assert.equal(holds.find('unix:/a', ['alice']), null);
    assert.deepEqual(
      holds.list().map(({ name }) => name),
      ['bob'],
    );
  });

  it('is replaced by a later one of the same name and server', () => {
    holds.add({ name: 'alice', server: null, untilMs: 99_000, message: null });
    nowMs = 50_000;

    assert.deepEqual(
      holds.list().map(({ untilMs }) => untilMs),
      [99_000],
    );
  });

  it('is released by name, everywhere or at one server', () => {
    assert.deepEqual(holds.release('bob', 'unix:/b'), []);
    assert.equal(holds.release('bob', 'unix:/a').length, 1);
    assert.equal(holds.release('alice', null).length, 1);
    assert.deepEqual(holds.release('alice', null), []);
    assert.deepEqual(holds.list(), []);
  });
});
