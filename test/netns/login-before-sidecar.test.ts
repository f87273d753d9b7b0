/** A client asks to be let in while no sidecar is attached: OpenVPN says so to nobody, and never again. */
import assert from 'node:assert/strict';

import { VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { assertExchange } from './matrix.js';

/**
 * The server gives up on a client that nobody answered after its hand-window, which is 60 s; well before that is
 * early.
 */
const EARLY_MS = 15_000;

for (const transport of ['udp4', 'tcp6'] as const) {
  describe(`a login over ${transport} that was asked while no sidecar was attached`, function () {
    this.timeout(patient(60_000));
    let lab: VpnLab;
    before(async () => {
      lab = await VpnLab.create({ transport, management: { clientAuth: true } });
    });
    after(async () => await lab?.[Symbol.asyncDispose]());

    it('is answered when the sidecar is back', async () => {
      await lab.startSidecar('--authorize', 'accept');
      await lab.introduceRouters();
      await lab.sidecar.killHard();
      const clients = await Promise.all([lab.launchClient('client1'), lab.launchClient('client2')]);
      await eventually(() => asked(lab) === 2, { what: 'both clients have asked', timeoutMs: EARLY_MS });

      await lab.sidecar.restart();
      await Promise.all(clients.map((client) => client.connected({ timeoutMs: EARLY_MS })));

      await lab.known('client1', 'client2');
      await assertExchange('tcp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'));
      assert.equal(lab.sidecar.log.find(({ event }) => event === 'management.logins_found')?.fields['clients'], 2);
      assert.equal(asked(lab), 2, 'each client asked once');
    });
  });
}

function asked(lab: VpnLab): number {
  return lab.server.process.lines.filter((line) => line.includes('authentication deferred')).length;
}
