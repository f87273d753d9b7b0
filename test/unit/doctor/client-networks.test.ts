import assert from 'node:assert/strict';

import { judgeClientNetworks } from '../../../sidecar/doctor/checks/client-networks.js';
import { READY } from '../../protocol/sidecar-control/status-document.js';

const CLIENT = {
  cid: '0',
  epoch: 1,
  commonName: 'office',
  realAddress: null,
  addresses: ['10.8.0.2', '0.0.0.0/1'],
  since: '2026-01-01T00:00:00Z',
} as const;

describe('client-networks', () => {
  it('names each network of a client that is not served, and why', () => {
    const judgements = judgeClientNetworks({
      ...READY,
      clients: [
        {
          ...CLIENT,
          refused: [{ network: '0.0.0.0/1', reason: 'it contains 127.0.0.0/8, to which no tunnel leads' }],
        },
      ],
    });

    assert.deepEqual(
      judgements.map(({ severity, subject }) => [severity, subject]),
      [['warn', '0.0.0.0/1 of client office']],
    );
    assert.match(judgements[0]?.found ?? '', /contains 127/);
    assert.match(judgements[0]?.remedy ?? '', /iroute of office/);
  });

  it('is content where everything is served, and says nothing without a sidecar or a client', () => {
    assert.deepEqual(
      judgeClientNetworks({ clients: [CLIENT] }).map(({ severity }) => severity),
      ['ok'],
    );
    assert.deepEqual(judgeClientNetworks(null), []);
    assert.deepEqual(judgeClientNetworks({ clients: [] }), []);
  });
});
