import assert from 'node:assert/strict';
import { judgeFailover } from '../../../sidecar/doctor/checks/failover.js';
import type { GatewayStatus } from '../../../sidecar/status.js';

const MAC = '02:00:00:00:00:0a';
const GATEWAY: GatewayStatus = {
  id: 3,
  device: 'lan0',
  mac: MAC,
  addresses: ['192.0.2.1'],
  state: 'active',
  received: null,
  sent: null,
  learnedFlows: null,
  moves: 9,
  idleMs: null,
};

describe('failover', () => {
  it('names a gateway that flaps, and none that moved and came back', () => {
    const judge = (recentMoves: number): readonly unknown[] =>
      judgeFailover({ datapath: 'nexthop', gateways: [{ ...GATEWAY, recentMoves }] });

    assert.deepEqual(judge(4), []);
    const [finding] = judgeFailover({ datapath: 'nexthop', gateways: [{ ...GATEWAY, recentMoves: 5 }] });
    assert.equal(finding?.severity, 'warn');
    assert.match(finding?.found ?? '', /192\.0\.2\.1 on lan0 moved 5 times/);
  });

  it('warns of an address that nobody has, and of policies that the module ignores', () => {
    const answer = { device: 'lan0', policy: 'virtual', address: '192.0.2.1' } as const;
    const of = (mac: string | null): readonly string[] =>
      judgeFailover({ datapath: 'nexthop', gateways: [], answers: [{ ...answer, mac }] }).map(
        ({ severity }) => severity,
      );

    assert.deepEqual([of(MAC), of(null)], [['ok'], ['warn']]);
    const settings = { 'gateways.answer': ['lan0 pin'], 'gateways.probeIntervalMs': 1000 };
    assert.deepEqual(
      judgeFailover({ datapath: 'module', gateways: [], settings }).map(({ subject }) => subject),
      ['gateways.answer', 'gateways.probeIntervalMs'],
    );
    const [dead] = judgeFailover({ datapath: 'nexthop', gateways: [{ ...GATEWAY, state: 'down' }] });
    assert.match(dead?.found ?? '', /answers no probes/);
  });
});
