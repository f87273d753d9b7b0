/** OpenVPN connects to the sidecar (`management-client`), which listens. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';

import { assertFound, runDoctor } from '../lab/doctor.js';
import { IMPATIENT, OPENVPN } from '../lab/openvpn.js';
import type { Sidecar } from '../lab/sidecar.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';

describe('a sidecar that listens for OpenVPN', function () {
  this.timeout(patient(120_000));
  let lab: VpnLab;
  let sidecar: Sidecar;
  before(async () => {
    lab = await VpnLab.create({
      transport: 'udp4',
      management: { connects: true, password: 'open sesame' },
      keepalive: IMPATIENT,
    });
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  const doctor = async (listen: boolean): ReturnType<typeof runDoctor> =>
    await runDoctor(lab.topology.endpoint, {
      flags: [
        '--management',
        `${listen ? 'listen:' : ''}unix:${lab.server.managementSocket}`,
        '--control-socket',
        path.join(lab.pki.directory, 'gwmark.sock'),
      ],
    });

  it('is not ready before OpenVPN connects, and says so', async () => {
    sidecar = lab.launchSidecar('--management-password-file', lab.server.passwordFile);
    const name = `listen:unix:${lab.server.managementSocket}`;

    const { ready, problems } = await sidecar.statusWhere(
      (status) => status.problems.some((text) => /no OpenVPN has connected/.test(text)),
      'that nobody has connected',
    );

    assert.equal(ready, false);
    assert.ok(
      problems.some((text) => text.startsWith(`${name}: `)),
      problems.join('\n'),
    );
    assertFound(await doctor(true), 'management', 'error', /no OpenVPN has connected/);
  });

  it('serves the clients of the OpenVPN that connects', async () => {
    await lab.server.start();
    await sidecar.ready();
    await lab.introduceRouters();

    await lab.connect('client1', 'client2');

    assertFound(await doctor(true), 'management', 'ok', /used by the sidecar/);
  });

  it('refuses a second OpenVPN, and the first goes on', async () => {
    const config = path.join(path.dirname(lab.server.managementSocket), 'server.conf');
    const second = lab.topology.endpoint.spawn([OPENVPN, '--config', config, '--port', '1195', '--dev', 'tun9'], {
      name: 'second openvpn',
    });

    await second.exited;

    await sidecar.event('management.second_refused');
    const { ready, clients } = await sidecar.status();
    assert.ok(ready);
    assert.equal(clients.length, 2);
  });

  it('sees OpenVPN end, and serves the next one', async () => {
    await lab.server.stop();
    await sidecar.statusWhere(({ clients }) => clients.length === 0, 'no client');

    await lab.server.start();

    await sidecar.statusWhere(({ ready, clients }) => ready && clients.length === 2, 'both clients again');
  });

  it('ends OpenVPN when it ends itself, as the manual says', async () => {
    await sidecar.stop();

    await lab.server.process.exited;
  });

  it('names both ends that connect, or both that listen', async () => {
    // Another program listens, so that OpenVPN runs.
    const listener = lab.topology.endpoint.spawn(
      ['socat', '-u', `UNIX-LISTEN:${lab.server.managementSocket}`, 'OPEN:/dev/null'],
      { name: 'socat' },
    );
    await eventually(() => existsSync(lab.server.managementSocket), { what: 'socat listens' });
    await lab.server.start();
    const finding = assertFound(await doctor(false), 'management', 'error', /it connects to its management client/);
    assert.match(finding.remedy ?? '', /listen:unix:/);
    await listener.stop();
    await lab.server.stop();

    await using plain = await VpnLab.create({ transport: 'udp4' });
    assertFound(
      await runDoctor(plain.topology.endpoint, {
        flags: [
          '--management',
          `listen:unix:${plain.server.managementSocket}`,
          '--control-socket',
          path.join(plain.pki.directory, 'gwmark.sock'),
        ],
      }),
      'management',
      'error',
      /OpenVPN listens, and so does gwmark/,
    );
  });
});
