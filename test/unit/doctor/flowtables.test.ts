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

  it('finds no harm with the datapath nexthop, and an error with the module', () => {
    assert.deepEqual(
      judgeFlowtables(found, 'nexthop').map(({ severity }) => severity),
      ['ok'],
    );
    const [broken] = judgeFlowtables(found, 'module');
    assert.equal(broken?.severity, 'error');
    assert.match(broken?.found ?? '', /inet fw4 ft includes lan0, tun0: .* do not reach the router/);
    assert.match(broken?.remedy ?? '', /datapath: nexthop/);
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
