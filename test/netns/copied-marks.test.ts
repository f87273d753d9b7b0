/** Another program that copies the whole mark of a flow into each of its packets, as wg-quick does. */
import assert from 'node:assert/strict';

import { assertFound, runDoctor } from '../lab/doctor.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { FAMILIES, VpnLab } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';
import { assertExchange, assertSentVia, KINDS } from './matrix.js';

/** As shell lines: what copies the mark. */
const COPIES = {
  'a chain of nftables':
    "nft 'table inet other { chain restore { type filter hook prerouting priority mangle; meta mark set ct mark; }; }'",
  'CONNMARK --restore-mark of iptables':
    'for program in iptables-nft ip6tables-nft; do $program -t mangle -I PREROUTING -j CONNMARK --restore-mark; done',
} as const;

for (const [title, make] of Object.entries(COPIES)) {
  for (const order of ['before', 'after'] as const) {
    describe(`${title} that copies the mark of a flow into its packets, made ${order} the rules of gwmark`, function () {
      this.timeout(patient(40_000));
      let lab: VpnLab;
      before(async () => {
        lab = await VpnLab.create({ transport: 'udp4' });
        const shell = async (): Promise<string> => await lab.topology.endpoint.run(['sh', '-ec', make]);
        if (order === 'before') await shell();
        await lab.startSidecar();
        await lab.introduceRouters();
        if (order === 'after') await shell();
        await lab.connect('client1');
      });
      after(async () => await lab?.[Symbol.asyncDispose]());

      for (const family of FAMILIES) {
        it(`stops nothing over IP${family}`, async () => {
          for (const kind of KINDS) {
            await using capture = await lab.capture();

            const isOwn = await assertExchange(kind, lab.party('hostB', family), lab.party('client1', family));

            assertSentVia((await capture.frames()).filter(isOwn), ADDRESS.hostB[family], MAC.r2);
            await assertExchange(kind, lab.party('client1', family), lab.party('hostA', family));
          }
        });
      }

      it('is nothing that the doctor warns of', async () => {
        const report = await runDoctor(lab.topology.endpoint, {
          flags: ['--control-socket', lab.sidecar.controlSocket],
        });

        assertFound(report, 'marks', 'ok', /unused by other programs/);
        assert.equal(report.code, 0);
      });
    });
  }
}
