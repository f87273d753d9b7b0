import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';

import { Sidecar } from '../lab/sidecar.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { reach } from '../lab/traffic.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';

/** A machine that is slow at routes: a batch of them waits half a second. */
const SLOW_IP =
  '#!/bin/sh\ncase "$*" in *-batch*) sleep 0.5 ;; esac\nexec "$(PATH="${PATH#*:}" command -v ip)" "$@"\n';

/** The sidecar lets an answer wait for the kernel for a second. */
const TIMELY_MS = 1000;

describe('the status of a sidecar', function () {
  this.timeout(patient(40_000));

  it('tells of a router no sooner than the kernel sends to it, however long routes take', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    const { directory } = lab.pki;
    await writeFile(path.join(directory, 'ip'), SLOW_IP, { mode: 0o755 });
    await using sidecar = await Sidecar.start({
      namespace: lab.topology.endpoint,
      directory,
      managementSocket: lab.server.managementSocket,
      // In this process, routing needs no program.
      flags: ['--executor', 'process', '--log-level', 'debug'],
      env: { PATH: `${directory}:${process.env['PATH'] ?? ''}` },
    });

    await reach(lab.topology.r2, ADDRESS.endpoint.v4);
    // An answer waits for the kernel for a second at most; one that took longer on a busy machine promises nothing.
    const { gateways, appliedPass } = await eventually(
      async () => {
        const asked = performance.now();
        const status = await sidecar.status();
        const isTimely = performance.now() - asked < TIMELY_MS;
        return isTimely && status.gateways.some(({ mac }) => mac === MAC.r2) && status;
      },
      { what: 'r2 is known' },
    );

    const neighbours = await lab.topology.endpoint.run(['ip', 'neigh', 'show', 'nud', 'permanent', 'dev', 'lan0']);
    const found = await sidecar.event('gateway.found');
    assert.ok(
      Number(found.fields['pass']) >= 1 && Number(appliedPass) >= Number(found.fields['pass']),
      `pass ${String(found.fields['pass'])} took it in, ${appliedPass} is applied:\n${sidecar.process.lines.join('\n')}`,
    );
    assert.deepEqual(
      gateways.map(({ mac }) => mac),
      [MAC.r2],
    );
    assert.match(neighbours, new RegExp(`lladdr ${MAC.r2}`));
  });
});
