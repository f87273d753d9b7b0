/** Which sysctls are changed for a datapath that rp_filter would stop, and that they come back. */
import assert from 'node:assert/strict';
import { readDevices } from '../../../sidecar/discovery/devices.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';
import { applySysctls, planForwarding, restoreSysctls } from '../../../sidecar/system/forwarding.js';
import { readSysctl } from '../../../sidecar/system/sysctl.js';
import { makeLan, resetKernel, setSysctl } from '../firewall/kernel.js';

/** The value in force is the larger of `all` and the device's own. */
async function values(): Promise<Record<string, string | null>> {
  const names = ['all', 'default', 'lan0', 'other0'];
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readSysctl(`net/ipv4/conf/${name}/rp_filter`)] as const)),
  );
}

async function change(withoutReversePathFilter: boolean): Promise<{ restore: () => Promise<void> }> {
  const { links } = await readDevices(['lan0']);
  const changes = (
    await planForwarding({
      links,
      tunnels: [],
      ipv6: false,
      hasTurnedOnIpv6: false,
      withMarkedErrors: false,
      withoutReversePathFilter,
      announcing: { 4: [], 6: [] },
    })
  ).filter(({ name }) => name.endsWith('/rp_filter'));
  await applySysctls(changes, captureLog().logger);
  return { restore: async () => assert.deepEqual(await restoreSysctls(changes), []) };
}

describe('rp_filter', () => {
  beforeEach(async () => {
    await resetKernel();
    await makeLan('lan0', '192.0.2.5/24');
    await makeLan('other0', '198.51.100.5/24');
    for (const device of ['all', 'default', 'lan0', 'other0']) setSysctl(`net/ipv4/conf/${device}/rp_filter`, '0');
  });
  after(resetKernel);

  it('goes from a link that has its own, and from no other device', async () => {
    setSysctl('net/ipv4/conf/lan0/rp_filter', '2');
    setSysctl('net/ipv4/conf/other0/rp_filter', '1');

    const { restore } = await change(true);

    assert.deepEqual(await values(), { all: '0', default: '0', lan0: '0', other0: '1' });
    await restore();
    assert.deepEqual(await values(), { all: '0', default: '0', lan0: '2', other0: '1' });
  });

  it('that is on for all devices goes from the links alone: every other device, and those to come, keep it as their own', async () => {
    setSysctl('net/ipv4/conf/all/rp_filter', '1');
    setSysctl('net/ipv4/conf/other0/rp_filter', '2');

    const { restore } = await change(true);

    assert.deepEqual(await values(), { all: '0', default: '1', lan0: '0', other0: '2' });
    await restore();
    assert.deepEqual(await values(), { all: '1', default: '0', lan0: '0', other0: '2' });
  });

  it('stays as it is where the datapath has routes for it', async () => {
    setSysctl('net/ipv4/conf/all/rp_filter', '1');

    await change(false);

    assert.deepEqual(await values(), { all: '1', default: '0', lan0: '0', other0: '0' });
  });
});
