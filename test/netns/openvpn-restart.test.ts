import assert from 'node:assert/strict';

import { clientRules } from '../lab/firewall.js';
import { IMPATIENT } from '../lab/openvpn.js';
import { FAMILIES, TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { assertExchange } from './matrix.js';

const RESTARTS = {
  SIGUSR1: async (lab: VpnLab) => await lab.server.signalRestart('SIGUSR1'),
  SIGHUP: async (lab: VpnLab) => await lab.server.signalRestart('SIGHUP'),
  'kill -9 and a new start': async (lab: VpnLab) => {
    await lab.server.killHard();
    await lab.deviceIs('tun0', false);
    await lab.server.start();
  },
} as const;

describe('an OpenVPN server that restarts', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  before(async () => {
    // With explicit-exit-notify the server tells its clients to come back at once where it can.
    lab = await VpnLab.working(
      { transport: 'udp4', keepalive: IMPATIENT, serverExtra: ['explicit-exit-notify 1'] },
      'client1',
    );
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  for (const [name, restart] of Object.entries(RESTARTS)) {
    it(`by ${name}: rules of clients that stay away are gone, those of clients that come back are new`, async () => {
      await lab.connect('client2');
      const epochBefore = (await lab.sidecar.clients()).find((client) => client.commonName === 'client1')?.epoch;
      assert.ok(epochBefore !== undefined);
      const from = lab.client('client1').process.lines.length;

      lab.client('client2').process.kill('SIGKILL');
      await restart(lab);
      await lab.client('client1').connected({ from });

      await lab.sidecar.statusWhere(
        ({ clients }) =>
          clients.length === 1 &&
          clients.every((client) => client.commonName === 'client1' && client.epoch > epochBefore),
        'only client1, of a later epoch',
      );
      const ruleset = async (): Promise<string> => await clientRules(lab.topology.endpoint);
      await eventually(
        async () => !(await ruleset()).includes(TUNNEL.client2.v4) && !(await ruleset()).includes(TUNNEL.client2.v6),
        { what: "client2's rules are gone" },
      );
      for (const family of FAMILIES) {
        await assertExchange('tcp', lab.party('hostA', family), lab.party('client1', family));
        await assertExchange('udp', lab.party('client1', family), lab.party('hostB', family));
        await assertExchange('ping', lab.party('hostB', family), lab.party('site', family));
      }
      const blamed = new Set(['routing.repaired', 'firewall.failed', 'daemon.check_failed']);
      assert.deepEqual(
        lab.sidecar.log.filter(({ event }) => blamed.has(event)),
        [],
        'what OpenVPN does to its own tunnel is nobody else’s doing, and no error',
      );
    });
  }
});
