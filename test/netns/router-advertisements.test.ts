import assert from 'node:assert/strict';

import { RouterAdvertiser } from '../lab/router-advertiser.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';

describe('an endpoint with a card whose router is advertised, and that is no link of gwmark', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  let isp: RouterAdvertiser;
  let later: RouterAdvertiser | undefined;
  const value = async (name: string): Promise<string> =>
    (await lab.topology.endpoint.run(['sysctl', '-n', `net.ipv6.${name}`])).trim();
  before(async () => {
    lab = await VpnLab.create({ transport: 'udp6' });
    const { endpoint } = lab.topology;
    await endpoint.sysctl('net.ipv6.conf.all.forwarding=0', 'net.ipv6.conf.lan0.accept_ra=1');
    isp = await RouterAdvertiser.create(endpoint, 'isp0', '2001:db8:99::/64', lab.pki.directory);
    await isp.isRouter();
  });
  after(async () => {
    await isp?.[Symbol.asyncDispose]();
    await later?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  it('keeps its router when the sidecar turns forwarding on', async () => {
    await lab.startSidecar('--devices', 'lan0');

    await eventually(async () => (await value('conf.all.forwarding')) === '1', { what: 'IPv6 forwarding' });
    assert.ok(await isp.hasRoute(), 'the default route went with the advertisements');
    assert.equal(await value('conf.isp0.accept_ra'), '2');
  });

  it('goes on taking advertisements', async () => {
    await lab.topology.endpoint.run(['ip', '-6', 'route', 'flush', 'default', 'dev', 'isp0', 'proto', 'ra']);

    await isp.isRouter();
  });

  it('takes those of a card that is plugged in later', async () => {
    later = await RouterAdvertiser.create(lab.topology.endpoint, 'isp1', '2001:db8:98::/64', lab.pki.directory);

    await later.isRouter();
  });

  it('lets no client of OpenVPN be its router', async () => {
    assert.notEqual(await value('conf.tun0.accept_ra'), '2');
    assert.notEqual(await value('conf.default.accept_ra'), '2');
  });

  it('has every sysctl as before after gwmark down, and its router too', async () => {
    await lab.sidecar.stop();

    await lab.sidecar.down();

    for (const [name, before] of [
      ['conf.all.forwarding', '0'],
      ['conf.isp0.accept_ra', '1'],
      ['conf.isp1.accept_ra', '1'],
      ['conf.lan0.accept_ra', '1'],
      ['fwmark_reflect', '0'],
    ] as const) {
      assert.equal(await value(name), before, name);
    }
    await isp.isRouter();
  });
});
