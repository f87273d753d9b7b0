/** A UDP server that is bound to no address, on an endpoint with several: what happens, and who says so. */
import assert from 'node:assert/strict';

import { assertFound, type DoctorReport, runDoctor } from '../lab/doctor.js';
import { runGwmark } from '../lab/sidecar.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';
import { assertExchange, assertSentVia } from './matrix.js';

/** Now the kernel chooses .7, and clients dial .10. */
const OTHER = '192.0.2.7';

for (const isMultihome of [false, true]) {
  describe(`a UDP server ${isMultihome ? 'with multihome' : 'that is bound to no address'}, on an endpoint with two`, function () {
    this.timeout(patient(60_000));
    let lab: VpnLab;
    const doctor = async (): Promise<DoctorReport> =>
      await runDoctor(lab.topology.endpoint, { flags: ['--control-socket', lab.sidecar.controlSocket] });
    const trace = async (): Promise<string> =>
      (
        await runGwmark(lab.topology.endpoint, [
          'trace',
          ADDRESS.client1.v4,
          ADDRESS.endpoint.v4,
          '--proto',
          'udp',
          '--dport',
          '1194',
          '--control-socket',
          lab.sidecar.controlSocket,
        ])
      ).stdout;
    before(async () => {
      lab = await VpnLab.create({ transport: 'udp4', ...(isMultihome ? { serverExtra: ['multihome'] } : {}) });
      await lab.topology.endpoint.ip(
        `address del ${ADDRESS.endpoint.v4}/24 dev lan0`,
        `address add ${OTHER}/24 dev lan0`,
        `address add ${ADDRESS.endpoint.v4}/24 dev lan0`,
      );
      await lab.startSidecar();
      await lab.introduceRouters();
    });
    after(async () => await lab?.[Symbol.asyncDispose]());

    if (isMultihome) {
      it('answers from the address that was dialled, through the client’s router', async () => {
        await using capture = await lab.capture('udp port 1194');
        await lab.connect('client1');

        await assertExchange('tcp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'));

        const frames = await capture.frames();
        assertSentVia(frames, ADDRESS.client1.v4, MAC.u);
        assert.ok(frames.every(({ ip }) => ip?.source !== OTHER));
        assertFound(await doctor(), 'udp-source', 'ok', /multihome/);
        assert.doesNotMatch(await trace(), /answers from/);
      });
    } else {
      it('answers from the other address, and its client never connects', async () => {
        await using capture = await lab.capture('udp port 1194');
        const client = await lab.launchClient('client1');

        await client.process.waitFor(/Server poll timeout/);

        assert.ok(
          (await capture.frames()).some(({ ip }) => ip?.source === OTHER && ip.destination === ADDRESS.client1.v4),
        );
      });

      it('is named by doctor and by trace, with what to set', async () => {
        const finding = assertFound(await doctor(), 'udp-source', 'warn', /192\.0\.2\.7/);
        assert.match(finding.remedy ?? '', /multihome/);

        assert.match(await trace(), /it answers from 192\.0\.2\.7, not from 192\.0\.2\.10/);
      });
    }
  });
}

describe('a UDP server that is bound to no address, beside a default route over another tunnel', function () {
  this.timeout(patient(60_000));

  it('is named by doctor as by trace: its answers have an address that nobody dialled', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    const { endpoint } = lab.topology;
    await endpoint.run(['ip', 'tuntap', 'add', 'dev', 'other0', 'mode', 'tun']);
    await endpoint.ip('address add 10.9.0.2/24 dev other0', 'link set other0 up', 'route add default dev other0');
    const { controlSocket } = await lab.startSidecar();
    const flags = ['--control-socket', controlSocket];

    const report = await runDoctor(endpoint, { flags });
    const { stdout } = await runGwmark(endpoint, ['trace', ADDRESS.client1.v4, ADDRESS.endpoint.v4, ...flags]);

    assertFound(report, 'udp-source', 'warn', /leave by other0, with the source address 10\.9\.0\.2/);
    assert.match(stdout, /it answers from 10\.9\.0\.2, not from 192\.0\.2\.10/);
  });
});
