import assert from 'node:assert/strict';
import type { NftObject } from 'nftables-json';
import { judgeUdpTimeout } from '../../../sidecar/doctor/checks/conntrack.js';
import { judgeFlowtables } from '../../../sidecar/doctor/checks/flowtables.js';
import { foreignFlowtables } from '../../../sidecar/firewall/flowtables.js';

const OBJECTS: readonly NftObject[] = [
  { flowtable: { family: 'inet', table: 'fw4', name: 'ft', hook: 'ingress', prio: 0, dev: ['lan0', 'eth9', 'tun0'] } },
  { flowtable: { family: 'inet', table: 'other', name: 'far', hook: 'ingress', prio: 0, dev: 'eth9' } },
  { flowtable: { family: 'inet', table: 'gwmark', name: 'ours', hook: 'ingress', prio: 0, dev: 'lan0' } },
];

describe('the check flowtables', () => {
  const found = foreignFlowtables(OBJECTS, 'gwmark', ['lan0', 'tun0']);

  it('looks at those of other programs that hold a link or a tunnel', () => {
    assert.deepEqual(found, [{ where: 'nftables flowtable inet fw4 ft', devices: ['lan0', 'tun0'] }]);
  });

  it('says why each of them does no harm', () => {
    for (const [datapath, reason] of [
      ['nexthop', /inet fw4 ft includes lan0, tun0: it gets the route/],
      ['module', /inet fw4 ft includes lan0, tun0: it takes no flow that has a gateway/],
    ] as const) {
      const [known] = judgeFlowtables(found, datapath);
      assert.equal(known?.severity, 'ok');
      assert.match(known?.found ?? '', reason);
    }
    assert.deepEqual(
      judgeFlowtables([], 'module').map(({ severity }) => severity),
      ['ok'],
    );
  });
});

describe('the check conntrack', () => {
  it('says how long a UDP answer may take', () => {
    assert.match(judgeUdpTimeout('30')[0]?.found ?? '', /^30 s: .*goes to the uplink$/);
    assert.deepEqual(judgeUdpTimeout(null), []);
  });
});
