import assert from 'node:assert/strict';
import { GatewayTable } from '../../../sidecar/datapath/nexthop/gateway-table.js';
import { Takers } from '../../../sidecar/datapath/nexthop/takers.js';
import type { Taker } from '../../../sidecar/firewall/firewall.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';
import { POLICY } from '../rules/sample-site.js';
import { report } from './gateway-words.js';

const A = '02:00:00:00:00:0a';
const B = '02:00:00:00:00:0b';

/** Takers over a packet path that says so, and what was reported: `1 MAC`. */
function rig(takers: () => Promise<readonly Taker[]>): { table: GatewayTable; subject: Takers; found: string[] } {
  const table = new GatewayTable(200);
  table.reserve(['lan0']);
  const found: string[] = [];
  const subject = new Takers({
    policy: POLICY,
    table,
    firewall: { takers },
    applied: async () => undefined,
    onChanges: (changes) => {
      for (const change of changes)
        if (change.kind === 'found') found.push(`${change.gateway.id} ${change.gateway.mac}`);
    },
    logger: captureLog().logger,
  });
  return { table, subject, found };
}

describe('Takers', () => {
  it('gives a new sender the id that its first frame got', async () => {
    const { table, subject, found } = rig(async () => [{ id: 200, device: 'lan0', mac: A }]);

    subject.before([{ device: 'lan0', mac: A }], () =>
      report(table, { device: 'lan0', address: '192.0.2.1', mac: A }),
    );
    await subject.close();

    assert.deepEqual(found, [`200 ${A}`]);
    assert.deepEqual(table.addressesOf(200), ['192.0.2.1']);
  });

  it('does not ask the packet path about senders that are known', () => {
    const { table, subject, found } = rig(() => assert.fail('asked'));
    table.frame('lan0', A);

    subject.before([{ device: 'lan0', mac: A }], () => []);

    assert.deepEqual(found, []);
  });

  it('keeps the order of what it hears while it asks', async () => {
    const { subject, found } = rig(async () => []);
    const order: string[] = [];
    const note = (word: string) => (): readonly [] => {
      order.push(word);
      return [];
    };

    subject.before([{ device: 'lan0', mac: A }], note('first'));
    subject.before([{ device: 'lan0', mac: null }], note('second'));
    await subject.close();

    assert.deepEqual(order, ['first', 'second']);
    assert.deepEqual(found, []);
  });

  it('takes a sender in although the packet path cannot be asked', async () => {
    const { table, subject, found } = rig(() => Promise.reject(new Error('no table')));

    subject.before([{ device: 'lan0', mac: B }], () => table.frame('lan0', B));
    await subject.close();

    assert.deepEqual(found, [`1 ${B}`]);
  });

  it('looks once more when the rules know a sender, for a frame that came in between', async () => {
    const takers: Taker[] = [];
    const { subject, found } = rig(async () => takers);

    takers.push({ id: 198, device: 'lan0', mac: A });
    subject.lookAfterPass();
    await new Promise((resolve) => setImmediate(resolve));
    await subject.close();

    assert.deepEqual(found, [`198 ${A}`]);
  });
});
