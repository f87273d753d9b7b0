import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { SnapshotSchedule } from '../../../sidecar/sessions/snapshot-schedule.js';

/** Lets callbacks of promises run; no time passes. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

class Probe {
  taken = 0;
  atOnce = 0;
  mostAtOnce = 0;
  readonly schedule: SnapshotSchedule;
  #finish: (() => void) | null = null;
  isSlow = false;
  intervalMs = 1000;

  constructor() {
    this.schedule = new SnapshotSchedule({ take: () => this.#take(), intervalMs: () => this.intervalMs });
  }

  async finish(): Promise<void> {
    this.#finish?.();
    this.#finish = null;
    await settle();
  }

  async #take(): Promise<void> {
    this.taken += 1;
    this.atOnce += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.atOnce);
    if (this.isSlow) {
      await new Promise<void>((resolve) => {
        this.#finish = resolve;
      });
    }
    this.atOnce -= 1;
  }
}

async function pass(ms: number): Promise<void> {
  mock.timers.tick(ms);
  await settle();
}

describe('SnapshotSchedule', () => {
  let nowMs = 0;
  beforeEach(() => {
    nowMs = 0;
    mock.timers.enable({ apis: ['setTimeout'] });
    mock.method(performance, 'now', () => nowMs);
  });
  afterEach(() => {
    mock.timers.reset();
    mock.restoreAll();
  });

  it('takes nothing before it starts, and one each interval afterwards', async () => {
    const probe = new Probe();
    await pass(5000);
    assert.equal(probe.taken, 0);

    probe.schedule.start();
    for (const expected of [1, 2, 3]) {
      await pass(999);
      assert.equal(probe.taken, expected - 1);
      await pass(1);
      assert.equal(probe.taken, expected);
    }
    await probe.schedule.stop();
  });

  it('keeps a request from before its start', async () => {
    const probe = new Probe();
    probe.schedule.request();

    probe.schedule.start();
    await pass(0);

    assert.equal(probe.taken, 1);
    await probe.schedule.stop();
  });

  it('reads the interval again each time', async () => {
    const probe = new Probe();
    probe.schedule.start();
    probe.intervalMs = 10;
    await pass(1000);
    await pass(10);
    await pass(10);

    assert.equal(probe.taken, 3);
    await probe.schedule.stop();
  });

  it('answers all requests that came while one was under way with one more', async () => {
    const probe = new Probe();
    probe.isSlow = true;
    probe.schedule.start();
    probe.schedule.request();
    await pass(0);
    for (let index = 0; index < 100; index += 1) probe.schedule.request();
    await pass(0);
    assert.equal(probe.taken, 1);

    await probe.finish();
    await pass(0);
    await probe.finish();
    await pass(0);

    assert.equal(probe.taken, 2);
    assert.equal(probe.mostAtOnce, 1);
    const stopping = probe.schedule.stop();
    await probe.finish();
    await stopping;
  });

  it('rests four times as long as the last one took before it answers a request', async () => {
    const probe = new Probe();
    probe.intervalMs = 60_000;
    probe.isSlow = true;
    probe.schedule.start();
    probe.schedule.request();
    await pass(0);
    nowMs = 50;
    probe.schedule.request();
    await probe.finish();

    await pass(199);
    assert.equal(probe.taken, 1);
    await pass(1);
    assert.equal(probe.taken, 2);
    const stopping = probe.schedule.stop();
    await probe.finish();
    await stopping;
  });

  it('rests a second at most, however long the last one took', async () => {
    const probe = new Probe();
    probe.intervalMs = 60_000;
    probe.isSlow = true;
    probe.schedule.start();
    probe.schedule.request();
    await pass(0);
    nowMs = 5000;
    probe.schedule.request();
    await probe.finish();

    await pass(999);
    assert.equal(probe.taken, 1);
    await pass(1);
    assert.equal(probe.taken, 2);
    const stopping = probe.schedule.stop();
    await probe.finish();
    await stopping;
  });

  it('is not put off by requests that keep coming', async () => {
    const probe = new Probe();
    probe.intervalMs = 60_000;
    probe.isSlow = true;
    probe.schedule.start();
    probe.schedule.request();
    await pass(0);
    nowMs = 10;
    await probe.finish();
    probe.isSlow = false;

    for (let ms = 0; ms < 41; ms += 1) {
      probe.schedule.request();
      nowMs += 1;
      await pass(1);
    }

    assert.ok(probe.taken >= 2, `${probe.taken} taken`);
    await probe.schedule.stop();
  });

  it('stops when the one under way is done, and takes no more', async () => {
    const probe = new Probe();
    probe.isSlow = true;
    probe.schedule.start();
    probe.schedule.request();
    await pass(0);
    let isStopped = false;
    const stopping = (async () => {
      await probe.schedule.stop();
      isStopped = true;
    })();
    await settle();
    assert.equal(isStopped, false);

    await probe.finish();
    await stopping;
    await pass(100_000);

    assert.equal(probe.taken, 1);
  });

  it('starts again after a stop, without two at a time', async () => {
    const probe = new Probe();
    probe.isSlow = true;
    probe.intervalMs = 10;
    probe.schedule.start();
    probe.schedule.request();
    await pass(0);
    void probe.schedule.stop();

    probe.schedule.start();
    await pass(10);
    await pass(10);

    assert.equal(probe.mostAtOnce, 1);
    const stopping = probe.schedule.stop();
    await probe.finish();
    await stopping;
  });
});
