import assert from 'node:assert/strict';

import { judgeKernelPolicy } from '../../../sidecar/doctor/checks/kernel-policy.js';
import { parseIpsecPolicies } from '../../../sidecar/routing/ipsec-policies.js';

const NOTHING = { datapath: 'module', stats: new Map<string, number>(), ipsec: [], ports: [] } as const;

describe('judgeKernelPolicy', () => {
  it('is content where nothing was refused, and with the datapath nexthop', () => {
    const stats = new Map([['return_bad_source', 3]]);

    assert.deepEqual(
      [judgeKernelPolicy(NOTHING), judgeKernelPolicy({ ...NOTHING, stats, datapath: 'nexthop' })].map((found) =>
        found.map(({ severity }) => severity),
      ),
      [['ok'], ['ok']],
    );
  });

  it('warns of sources and frames that the module left to the kernel, and tells of IPsec', () => {
    const stats = new Map([
      ['return_bad_source', 3],
      ['learn_not_host', 0],
      ['return_not_host', 2],
      ['output_ipsec', 1],
    ]);

    assert.deepEqual(
      judgeKernelPolicy({ ...NOTHING, stats }).map(({ severity, found }) => [severity, found]),
      [
        ['warn', 'return_bad_source 3'],
        ['warn', 'return_not_host 2'],
        ['info', 'output_ipsec 1'],
      ],
    );
  });

  it('names policies that encrypt or drop, and ports from which a bridge takes no frame, or only some', () => {
    const ipsec = parseIpsecPolicies(
      'src fd08::/64 dst ::/0 \\\tdir out priority 0 \\\ttmpl src 1.1.1.1 dst 2.2.2.2\\\n' +
        'src 10.8.0.0/24 dst 10.1.0.0/24 \\\tdir out priority 0 \\\ttmpl src 1.1.1.1 dst 2.2.2.2\\\n' +
        'src 0.0.0.0/0 dst 0.0.0.0/0 \\\tdir out priority 9 \\',
    );
    const ports = [
      { device: 'p1', bridge: 'br0', state: 'blocking', isLocked: false },
      { device: 'p2', bridge: 'br0', state: 'forwarding', isLocked: true },
      { device: 'p3', bridge: 'br0', state: 'forwarding', isLocked: false },
    ];

    assert.deepEqual(
      judgeKernelPolicy({ ...NOTHING, ipsec, ports }).map(({ subject, found }) => [subject, found.split(' ')[0]]),
      [
        ['IPsec policy for packets out', 'src'],
        ['IPsec policy for packets out', 'src'],
        ['port p1 of br0', 'blocking'],
        ['port p2 of br0', 'locked'],
      ],
    );
  });
});
