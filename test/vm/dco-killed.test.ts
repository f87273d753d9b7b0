/** A server with data channel offload that is killed leaves its device behind. Run by dco.sh, on either datapath. */
import assert from 'node:assert/strict';

import { assertFound, runDoctor } from '../lab/doctor.js';
import { IMPATIENT } from '../lab/openvpn.js';
import { FAMILIES, VpnLab } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';
import { assertExchange } from '../netns/matrix.js';

describe('a server with data channel offload that is killed', function () {
  this.timeout(patient(120_000));
  let lab: VpnLab;
  before(async () => {
    lab = await VpnLab.working(
      { transport: 'udp4', keepalive: IMPATIENT, management: { clientAuth: true }, flags: ['--authorize', 'accept'] },
      'client1',
      'client2',
    );
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  it('leaves its device behind, and its clients are gone at once', async () => {
    await lab.server.killHard();

    await lab.sidecar.statusWhere(({ clients, ready }) => clients.length === 0 && !ready, 'no client, and not ready');
    assert.match(await lab.tunnelKind(), /^ovpn/);
  });

  it('is named by the doctor: a device that was left behind', async () => {
    const report = await runDoctor(lab.topology.endpoint, {
      flags: ['--management', `unix:${lab.server.managementSocket}`, '--control-socket', lab.sidecar.controlSocket],
    });

    assertFound(report, 'tunnel', 'warn', /tunnel tun0: has data channel offload, but no OpenVPN answers/);
  });

  it('serves clients that come back, once it runs again on a device of its own', async () => {
    // OpenVPN 2.7.8 takes the device that is there, and ends at its first client: "netlink reports device not found".
    await lab.topology.endpoint.ip('link delete tun0');
    const from = lab.client('client1').process.lines.length;
    await lab.server.start();

    await lab.client('client1').connected({ from });
    await lab.known('client1', 'client2');
    for (const family of FAMILIES)
      await assertExchange('tcp', lab.party('hostA', family), lab.party('client1', family));
  });

  it('loses a client that is killed, with ovpn-dco once its device is gone too', async () => {
    const { process } = lab.client('client2');
    process.kill('SIGKILL');
    await process.exited;
    // ovpn-dco keeps the socket of its OpenVPN, and so answers for the dead.
    if ((await lab.tunnelKind()) === 'ovpn-dco') await lab.topology.client2.ip('link delete tun0');

    await lab.sidecar.statusWhere(
      ({ clients }) => clients.every(({ commonName }) => commonName !== 'client2'),
      'client2 is gone',
    );
  });
});
