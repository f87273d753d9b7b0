import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { Debounced } from '../../../sidecar/system/debounced.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';

describe('Debounced', () => {
  let runs = 0;
  let atOnce = 0;
  let finish: (() => void)[] = [];
  const log = captureLog();
  const work = async (): Promise<void> => {
    runs += 1;
    atOnce += 1;
    assert.equal(atOnce, 1, 'never twice at a time');
    await new Promise<void>((resolve) => finish.push(resolve));
    atOnce -= 1;
  };
  beforeEach(() => {
    runs = 0;
    atOnce = 0;
    finish = [];
    mock.timers.enable({ apis: ['setTimeout'] });
  });
  afterEach(() => mock.timers.reset());

  it('does once what many asked for within the delay', async () => {
    const debounced = new Debounced(50, work, log.logger);
    for (let index = 0; index < 10; index += 1) debounced.soon();

    mock.timers.tick(49);
    assert.equal(runs, 0);
    mock.timers.tick(1);

    assert.equal(runs, 1);
    finish[0]?.();
    debounced.stop();
  });

  it('rests after a run before it does what is asked for soon', async () => {
    const debounced = new Debounced(0, work, log.logger, 1_000_000);
    debounced.soon();
    mock.timers.tick(0);
    finish[0]?.();
    await new Promise((resolve) => setImmediate(resolve));

    debounced.soon();
    mock.timers.tick(500_000);
    assert.equal(runs, 1);
    mock.timers.tick(500_000);

    assert.equal(runs, 2);
    finish[1]?.();
    debounced.stop();
  });

  it('resolves with a run that began after the call, shared by all who called meanwhile', async () => {
    const debounced = new Debounced(50, work, log.logger);
    const first = debounced.now();
    const later = [debounced.now(), debounced.now(), debounced.now()];
    finish[0]?.();
    await first;
    while (finish.length < 2) await Promise.resolve();
    finish[1]?.();

    await Promise.all(later);

    assert.equal(runs, 2);
  });

  it('logs what the work throws and goes on', async () => {
    let attempts = 0;
    const debounced = new Debounced(
      50,
      async () => {
        attempts += 1;
        throw new Error('no devices');
      },
      log.logger,
    );

    await debounced.now();
    await debounced.now();

    assert.equal(attempts, 2);
    assert.equal(log.of('daemon.check_failed').length, 2);
  });

  it('begins nothing after it was stopped', async () => {
    const debounced = new Debounced(50, work, log.logger);
    debounced.soon();
    debounced.stop();
    mock.timers.tick(1000);
    debounced.soon();
    await debounced.now();
    mock.timers.tick(1000);

    assert.equal(runs, 0);
  });
});
