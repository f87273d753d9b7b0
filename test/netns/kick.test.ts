/** `gwmark kick` against real OpenVPN: traffic ends at once, and a hold keeps the client out. */
import assert from 'node:assert/strict';
import { access } from 'node:fs/promises';

import { clientRules } from '../lab/firewall.js';
import { openVpnOfVersion } from '../lab/openvpn-version.js';
import type { ManagementOptions } from '../lab/openvpn.js';
import { runGwmark } from '../lab/sidecar.js';
import { FAMILIES, TUNNEL, VpnLab, type VpnLabOptions } from '../lab/vpn-lab.js';
import { eventually, patient, slowed } from '../lab/wait.js';
import type { KickReport } from '../../sidecar/control/kick-order.js';
import { assertExchange } from './matrix.js';

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function kick(lab: VpnLab, ...args: readonly string[]): Promise<Outcome> {
  return await runGwmark(lab.topology.endpoint, ['kick', ...args, '--control-socket', lab.sidecar.controlSocket]);
}

/** Kicks, and fails unless everything was done. */
async function kicked(lab: VpnLab, ...args: readonly string[]): Promise<KickReport> {
  const { code, stdout, stderr } = await kick(lab, ...args, '--json');
  assert.equal(code, 0, stderr + stdout);
  // Printed by kick.
  return JSON.parse(stdout) as KickReport;
}

/** A lab with both clients connected, also if OpenVPN connects to the sidecar. */
async function labWith(options: VpnLabOptions): Promise<VpnLab> {
  const flags = options.management?.clientAuth === true ? ['--authorize', 'accept'] : [];
  if (options.management?.connects !== true) return await VpnLab.working({ ...options, flags }, 'client1', 'client2');
  const lab = await VpnLab.create(options);
  try {
    lab.launchSidecar(...flags);
    await eventually(async () => await access(lab.server.managementSocket).then(() => true), {
      what: 'the sidecar listens',
    });
    await lab.server.start();
    await lab.sidecar.ready();
    await lab.introduceRouters();
    await lab.connect('client1', 'client2');
    return lab;
  } catch (error) {
    await Promise.allSettled([lab[Symbol.asyncDispose]()]);
    throw error;
  }
}

/** The addresses of client1 that a listing of the packet filter has. */
function ownIn(rules: string): readonly string[] {
  return [TUNNEL.client1.v4, TUNNEL.client1.v6, '192.168.77.0', 'fd00:77::'].filter((address) =>
    rules.includes(address),
  );
}

const MODES: readonly (readonly [name: string, management: ManagementOptions])[] = [
  ['with --management-client-auth', { clientAuth: true }],
  ['without --management-client-auth', {}],
  ['with --management-client, to which the sidecar listens', { clientAuth: true, connects: true }],
];

for (const [mode, management] of MODES) {
  describe(`gwmark kick, OpenVPN ${mode}`, function () {
    this.timeout(patient(90_000));
    let lab: VpnLab;
    before(async () => {
      lab = await labWith({ transport: 'udp4', management });
    });
    after(async () => await lab?.[Symbol.asyncDispose]());

    const isHeldAway = async (): Promise<boolean> =>
      (await lab.sidecar.status()).clients.every(({ commonName, isKicked }) => commonName !== 'client1' || isKicked);

    const realAddress = async (name: string): Promise<string> =>
      (await lab.sidecar.status()).clients.find(({ commonName }) => commonName === name)?.realAddress ?? '';

    it('removes rules and connections before it returns, and leaves other clients alone', async () => {
      for (const family of FAMILIES) {
        await assertExchange('udp', lab.party('hostA', family), lab.party('client1', family));
        await assertExchange('udp', lab.party('hostA', family), lab.party('client2', family));
        assert.notDeepEqual(await lab.conntrack(`=${TUNNEL.client1[family]} `), []);
      }

      const report = await kicked(lab, 'client1', '--hold', `${slowed(12)}s`);

      const rules = await clientRules(lab.topology.endpoint);
      assert.deepEqual(ownIn(rules), []);
      for (const family of FAMILIES) {
        assert.deepEqual(await lab.conntrack(`=${TUNNEL.client1[family]} `), []);
        assert.notDeepEqual(await lab.conntrack(`=${TUNNEL.client2[family]} `), []);
      }
      assert.deepEqual(
        report.clients.map(({ commonName, openvpn, reason }) => [commonName, openvpn, reason]),
        [['client1', 'told', null]],
      );
      assert.ok(report.areRulesRemoved && report.heldUntil !== null);
      await assertExchange('udp', lab.party('hostA', 'v4'), lab.party('client2', 'v4'));
    });

    it('keeps it out for the hold, and lets it in afterwards', async () => {
      // It comes again at once.
      const refused = management.clientAuth === true ? 'client.login_held' : 'client.kicked';
      await lab.sidecar.event(refused, {
        from: lab.sidecar.log.findIndex(({ event }) => event === 'client.kicked') + 1,
      });
      assert.ok(await isHeldAway());
      assert.deepEqual(ownIn(await clientRules(lab.topology.endpoint)), []);

      await lab.sidecar.statusWhere(({ holds = [] }) => holds.length === 0, 'the end of the hold', 20_000);
      // OpenVPN keeps the session that was ended for some seconds more, and `status` with it.
      await lab.sidecar.statusWhere(
        ({ clients }) => clients.some(({ commonName, isKicked }) => commonName === 'client1' && isKicked !== true),
        'another session of client1',
        20_000,
      );
      await lab.known('client1');

      const events = lab.sidecar.log
        .filter(({ fields }) => fields['commonName'] === 'client1')
        .map(({ event }) => event);
      assert.ok(events.lastIndexOf('client.connected') > events.lastIndexOf(refused), events.join(' '));
      for (const family of FAMILIES)
        await assertExchange('tcp', lab.party('hostA', family), lab.party('client1', family));
      if (management.clientAuth === true)
        assert.ok(
          lab.client('client1').process.lines.some((line) => /AUTH_FAILED,TEMP\[backoff \d+\]:kept out/.test(line)),
        );
    });

    it('tells the client why, and finds it by each of its addresses', async () => {
      for (const word of [TUNNEL.client2.v6, TUNNEL.client2.v4, null]) {
        const from = lab.client('client2').process.lines.length;

        const report = await kicked(lab, word ?? (await realAddress('client2')), '--message', `by "${word}"`);

        assert.equal(report.clients[0]?.commonName, 'client2');
        await lab
          .client('client2')
          .process.waitFor(/Connection reset command was pushed by server \('by ".*"'\)/, { from });
        await lab.client('client2').connected({ from });
        await lab.sidecar.statusWhere(
          (status) =>
            status.clients.filter(({ commonName }) => commonName === 'client2').length === 1 &&
            status.clients.every(({ isKicked }) => isKicked !== true),
          'client2 alone again',
        );
      }
    });

    it('releases a hold before its time', async () => {
      await kicked(lab, 'client2', '--hold', '1h', '--halt');
      // It was told to end.
      await lab.client('client2').process.exited;
      const again = await lab.launchClient('client2');
      await lab.sidecar.event(management.clientAuth === true ? 'client.login_held' : 'client.kicked', {
        from:
          lab.sidecar.log.findLastIndex(
            ({ event, fields }) => event === 'client.kicked' && fields['heldUntil'] !== undefined,
          ) + 1,
      });
      await again.stop();

      const { code, stdout } = await kick(lab, 'client2', '--release');
      await lab.launchClient('client2');
      await lab.known('client2');

      assert.deepEqual([code, stdout], [0, 'client2 may connect again\n']);
    });

    it('lists who there is for a client that is not there, and changes nothing', async () => {
      const { code, stderr } = await kick(lab, 'nobody', '--hold', '1h');

      assert.equal(code, 1);
      assert.match(stderr, /no client nobody is connected:\n {2}client\d \(10\.8\.0\.1\d /);
      const { clients, holds } = await lab.sidecar.status();
      assert.deepEqual([clients.length, holds], [2, []]);
    });

    // An OpenVPN that connects ends when the sidecar gives up a connection that is silent.
    if (management.connects !== true)
      it('removes the rules of a client although OpenVPN does not answer, says so with 3, and tells it later', async () => {
        const from = lab.client('client1').process.lines.length;
        lab.server.process.kill('SIGSTOP');
        let outcome: Outcome;
        try {
          outcome = await kick(lab, 'client1');
          assert.deepEqual(ownIn(await clientRules(lab.topology.endpoint)), []);
        } finally {
          lab.server.process.kill('SIGCONT');
        }

        assert.equal(outcome.code, 3, outcome.stderr);
        assert.match(
          outcome.stderr,
          /OpenVPN has not ended client1, CID \d+: OpenVPN has not answered within 3000 ms/,
        );
        await lab.client('client1').process.waitFor(/Connection reset command was pushed by server/, { from });
        await lab.known('client1');
      });
  });
}

for (const version of ['2.5', '2.7'] as const) {
  describe(`gwmark kick, OpenVPN ${version}`, function () {
    this.timeout(patient(300_000));

    it('ends a client, which is told why and comes again', async () => {
      const serverProgram = await openVpnOfVersion(version);
      await using lab = await VpnLab.working({ transport: 'tcp6', serverProgram }, 'client1');
      const { process } = lab.client('client1');
      const from = process.lines.length;

      const { clients } = await kicked(lab, 'client1', '--message', '[brackets] and, a comma');

      assert.equal(clients[0]?.openvpn, 'told');
      await process.waitFor(/Connection reset command was pushed by server \(' \[brackets\] and, a comma'\)/, {
        from,
      });
      await lab.client('client1').connected({ from });
      await lab.known('client1');
    });
  });
}
