import assert from 'node:assert/strict';
import { judgeFirstPackets } from '../../../sidecar/doctor/checks/first-packets.js';

const USUAL = {
  datapath: 'nexthop',
  firewall: 'nftables',
  ids: 200,
  limits: [{ name: 'net/ipv4/neigh/lan0/unres_qlen_bytes', bytes: 212_992 }],
} as const;

describe('doctor: first packets of new routers', () => {
  it('is content where there are ids for them and the kernel keeps packets', () => {
    assert.deepEqual(
      judgeFirstPackets(USUAL).map(({ severity, found }) => [severity, found]),
      [['ok', '25 ids for unknown routers at most, four a device']],
    );
    assert.equal(judgeFirstPackets({ ...USUAL, datapath: 'module' })[0]?.severity, 'ok');
  });

  it('says where answers take the normal route', () => {
    for (const facts of [
      { ...USUAL, firewall: 'iptables' as const },
      { ...USUAL, ids: 7 },
    ]) {
      const [first] = judgeFirstPackets(facts);
      assert.equal(first?.severity, 'info');
      assert.match(first?.found ?? '', /^answers take the normal route: /);
    }
  });

  it('names a device on which the kernel keeps no packet', () => {
    const [first] = judgeFirstPackets({
      ...USUAL,
      limits: [...USUAL.limits, { name: 'net/ipv6/neigh/wan.7/unres_qlen_bytes', bytes: 0 }],
    });

    assert.equal(first?.severity, 'warn');
    assert.match(first?.found ?? '', /^0 bytes: /);
    assert.match(first?.remedy ?? '', /unres_qlen_bytes=212992$/);
  });
});
