import assert from 'node:assert/strict';
import type { AnnouncedAddress } from '../../../rules/index.js';
import { AnnouncementTable } from '../../../sidecar/kernel/announcement-table.js';

const A = { family: 4, address: '192.0.2.131', device: 'lan0' } as const;
const B = { family: 4, address: '192.0.2.132', device: 'lan0' } as const;
const HOST = '02:00:00:00:00:50';
const nobody = (): undefined => undefined;

/** A table that announces these. */
function announcing(...addresses: readonly AnnouncedAddress[]): AnnouncementTable {
  const table = new AnnouncementTable();
  for (const address of addresses) table.hold(address);
  table.added(table.settle(table.takeWaiting(0), nobody, 0).announce);
  return table;
}

describe('AnnouncementTable', () => {
  it('looks for an address on its link first, and announces it if nobody has it', () => {
    const table = new AnnouncementTable();
    table.hold(A);
    assert.equal(table.pending, 1);

    assert.deepEqual(table.takeWaiting(0), [A]);
    assert.deepEqual(table.takeWaiting(0), [], 'once');
    assert.deepEqual(table.settle([A], nobody, 0), { announce: [A], taken: [], freed: [] });
    assert.deepEqual([table.installed, table.pending], [0, 1], 'not before the kernel has it');
    table.added([A]);

    assert.deepEqual([table.installed, table.pending], [1, 0]);
  });

  it('does not announce what a host has, and looks again less and less often until it is free', () => {
    const table = new AnnouncementTable();
    table.hold(A);
    const taken = [{ ...A, mac: HOST }];

    assert.deepEqual(
      table.settle(table.takeWaiting(0), () => HOST, 0),
      { announce: [], taken, freed: [] },
    );
    assert.deepEqual(table.taken, taken);
    assert.equal(table.nextRetryMs, 2000);
    assert.deepEqual(table.takeWaiting(1999), []);
    assert.deepEqual(table.takeWaiting(2000), [A]);
    assert.deepEqual(table.taken, taken, 'also while it is looked for');
    assert.deepEqual(table.settle([A], () => HOST, 2000).taken, [], 'which is no news');
    assert.equal(table.nextRetryMs, 6000);
    assert.deepEqual(table.settle(table.takeWaiting(6000), nobody, 6000), { announce: [A], taken: [], freed: [A] });
    assert.deepEqual(table.taken, []);
  });

  it('withdraws an address that a host turns out to have', () => {
    const table = announcing(A, B);

    assert.equal(table.heard(A, null, 0), 'known');
    assert.equal(table.heard(A, HOST, 0), 'taken');
    assert.equal(table.heard(A, HOST, 0), 'known', 'said once');
    assert.equal(table.heard({ device: 'lan0', address: '192.0.2.9' }, HOST, 0), 'unknown');

    assert.deepEqual(table.takeWithdrawn(), [A]);
    assert.equal(table.installed, 2, 'until the kernel does not have it any more');
    table.removed();
    assert.equal(table.installed, 1);
  });

  it('withdraws an address with its last holder, and not while a client hands it on', () => {
    const table = announcing(A);
    table.hold(A);
    table.release(A);
    assert.deepEqual(table.takeWithdrawn(), []);

    table.release(A);
    table.hold(A);
    assert.deepEqual([table.takeWithdrawn(), table.takeWaiting(0), table.installed], [[], [], 1]);

    table.release(A);
    assert.deepEqual(table.takeWithdrawn(), [A]);
    table.removed();
    assert.ok(table.isEmpty);
  });

  it('withdraws at once what left, or was taken, while the kernel installed it', () => {
    const table = new AnnouncementTable();
    table.hold(A);
    table.hold(B);
    const { announce } = table.settle(table.takeWaiting(0), nobody, 0);
    table.release(A);
    table.heard(B, HOST, 0);
    assert.deepEqual(table.takeWithdrawn(), []);

    table.added(announce);

    assert.deepEqual(table.takeWithdrawn(), [A, B]);
  });

  it('looks again for what the kernel lost, and withdraws what it has too much', () => {
    const table = announcing(A);

    assert.deepEqual(table.compare([B], []), [A]);

    assert.deepEqual(table.takeWithdrawn(), [B]);
    assert.deepEqual(table.takeWaiting(0), [A]);
  });

  it('leaves an address to another program that announces it, as long as it does', () => {
    const table = new AnnouncementTable();
    table.hold(A);
    table.compare([], [A]);

    assert.deepEqual([table.takeWaiting(0), table.pending], [[], 0]);
    assert.equal(table.heard(A, HOST, 0), 'known');

    table.compare([], []);
    assert.deepEqual(table.takeWaiting(0), [A]);
  });

  it('does not look for what an earlier run announces, and drops what no client holds', () => {
    const table = new AnnouncementTable();
    table.adopt([A, B]);
    table.hold(A);
    table.releaseRest();

    assert.deepEqual(table.takeWaiting(0), []);
    assert.deepEqual(table.takeWithdrawn(), [B]);
  });

  it('looks again on a link whose cable was pulled, and announces meanwhile', () => {
    const table = announcing(A);
    table.distrust('lan0');

    assert.equal(table.installed, 1);
    assert.deepEqual(table.takeWaiting(0), [A]);
    table.settle([A], () => HOST, 0);
    assert.deepEqual(table.takeWithdrawn(), [A]);
  });

  it('looks for 256 of a family at a time', () => {
    const table = new AnnouncementTable();
    for (let index = 0; index < 300; index += 1)
      table.hold({ family: 4, address: `10.0.${index >> 8}.${index & 255}`, device: 'lan0' });

    table.hold({ family: 6, address: '2001:db8::1:131', device: 'lan0' });

    assert.equal(table.takeWaiting(0).length, 257);
    assert.equal(table.takeWaiting(0).length, 44);
  });
});
