/** Batches of a spawned `ip`, which exits at the first neighbour that the kernel refuses. */
import assert from 'node:assert/strict';
import { ipBatch } from '../../../sidecar/routing/iproute.js';
import { ip, ipShow, makeLan, resetKernel } from '../firewall/kernel.js';

const MAC = 'lladdr 02:00:00:00:00:01';
const GONE = /No such file/;

describe('a batch of ip', () => {
  beforeEach(async () => {
    await resetKernel();
    await makeLan('lan0', '192.0.2.5/24', '2001:db8:1::5/64');
    await makeLan('lan1');
    // IPv6 has no neighbours on a device whose MTU is below 1280.
    await ip('link set lan1 mtu 1000', '-6 neigh replace fe80::9 dev lan0 lladdr 02:00:00:00:00:01');
  });
  after(resetKernel);

  it('passes over neighbours that are refused for a tolerated reason, and runs the rest', async () => {
    await ipBatch(
      6,
      [
        'neigh del fe80::1 dev lan0',
        'route add 2001:db8:7::/64 dev lan0',
        'neigh del fe80::9 dev lan0',
        'neigh del fe80::2 dev lan0',
        'neigh del fe80::3 dev lan0',
        'route add 2001:db8:8::/64 dev lan0',
      ],
      GONE,
    );

    assert.doesNotMatch(await ipShow('-6 neigh show'), /fe80::9/);
    assert.match(await ipShow('-6 route show'), /2001:db8:7::\/64.*2001:db8:8::\/64/s);
  });

  it('runs the rest after a refusal that is not tolerated, and names that line', async () => {
    const refused = `neigh add fe80::7 dev lan1 ${MAC}`;

    await assert.rejects(
      ipBatch(
        6,
        ['neigh del fe80::1 dev lan0', refused, 'neigh del fe80::2 dev lan0', 'neigh del fe80::9 dev lan0'],
        GONE,
      ),
      { code: 'ROUTING_FAILED', message: `ip -6 ${refused}: IPv6 is disabled on this device.` },
    );

    assert.doesNotMatch(await ipShow('-6 neigh show'), /fe80::9/);
  });

  it('ends at a refused line if nothing is tolerated, and names it', async () => {
    for (const [refused, reason] of [
      [`neigh replace fe80::7 dev lan1 ${MAC}`, 'IPv6 is disabled on this device.'],
      [`neigh replace fe80::7 dev lan7 ${MAC}`, 'Cannot find device "lan7"'],
      ['route del 2001:db8:9::/64', 'No such process'],
    ] as const)
      await assert.rejects(
        ipBatch(6, [`neigh replace fe80::1 dev lan0 ${MAC}`, refused, 'neigh del fe80::9 dev lan0']),
        { code: 'ROUTING_FAILED', message: `ip -6 ${refused}: ${reason}` },
      );

    assert.match(await ipShow('-6 neigh show'), /fe80::1 .*fe80::9 |fe80::9 .*fe80::1 /s);
  });
});
