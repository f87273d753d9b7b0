/** The sidecar does not hold OpenVPN's management slot itself: another program does, and relays. */
import assert from 'node:assert/strict';

import { Sidecar } from '../lab/sidecar.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { reach } from '../lab/traffic.js';
import { TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';
import { OneReplyRelay } from '../protocol/openvpn/one-reply-relay.js';

describe('a sidecar behind a program that relays one reply a command', function () {
  this.timeout(patient(60_000));

  it('finds a server and its clients, those that come and those that go', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    await using relay = await OneReplyRelay.listen(`unix:${lab.server.managementSocket}`);
    await using sidecar = await Sidecar.start({
      namespace: lab.topology.endpoint,
      directory: lab.pki.directory,
      managementSocket: relay.path,
    });
    await reach(lab.topology.u, ADDRESS.endpoint.v4);
    await sidecar.statusWhere(
      ({ gateways }) => gateways.some(({ mac }) => mac === MAC.u),
      'the upstream router is known',
    );
    const client = await lab.launchClient('client1');
    await sidecar.statusWhere(
      ({ clients }) => clients.some(({ addresses }) => addresses.includes(TUNNEL.client1.v4)),
      'the client is known',
    );
    await client.connected();

    await client.stop();
    await sidecar.statusWhere(({ clients }) => clients.length === 0, 'the client is gone');

    assert.deepEqual(
      sidecar.log.filter(({ event }) => event === 'management.lost' || event === 'management.protocol_error'),
      [],
    );
  });
});
