import assert from 'node:assert/strict';
import { GatewayTable } from '../../../sidecar/datapath/nexthop/gateway-table.js';
import { RouterChecks } from '../../../sidecar/datapath/nexthop/router-checks.js';
import { IP_ROUTING } from '../../../sidecar/routing/ip-routing.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';
import { report } from './gateway-words.js';

const A = '02:00:00:00:00:0a';
const B = '02:00:00:00:00:0b';

describe('RouterChecks', () => {
  it('runs nothing any more once it is closed, and calls that no failure', async () => {
    const log = captureLog();
    const table = new GatewayTable(200);
    let readings = 0;
    const checks = new RouterChecks({
      table,
      firewall: {
        readCounters: async () => {
          readings += 1;
          return null;
        },
      },
      routing: IP_ROUTING,
      logger: log.logger,
      onChanges: () => assert.fail('nothing was found out'),
      onCounters: () => assert.fail('nothing was counted'),
    });
    table.frame('lan0', A);
    report(table, { device: 'lan0', address: '192.0.2.1', mac: A });
    const changes = report(table, { device: 'lan0', address: '192.0.2.1', mac: B });
    assert.ok(changes.some(({ kind }) => kind === 'moved'));
    for (const change of changes) checks.take(change);
    await checks.close();

    assert.equal(readings, 0);
    assert.equal(log.text(), '');
  });
});
