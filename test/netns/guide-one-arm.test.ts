/** docs/guides/one-arm.md, typed as it stands: each block on the machine that it names, in order, and then it works. */
import assert from 'node:assert/strict';
import path from 'node:path';

import { fencedBlocks, readGuide, shellWords } from '../lab/guide.js';
import { networkState } from '../lab/network-state.js';
import { PROGRAM } from '../lab/sidecar.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { ping } from '../lab/traffic.js';
import { FAMILIES, VpnLab } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';

const SOCKET_OF_GUIDE = '/run/openvpn/management.sock';

describe('the guide of the one-arm topology', function () {
  this.timeout(patient(120_000));

  it('leads to a client that hosts reach, with every command as it stands, and back', async () => {
    const blocks = fencedBlocks(readGuide('docs/guides/one-arm.md'));
    const conf = blocks.find(({ language }) => language === 'conf')?.text.trim();
    assert.equal(conf, `management ${SOCKET_OF_GUIDE} unix`);
    await using lab = await VpnLab.create({ transport: 'udp4' });
    const { endpoint, r1, r2, u } = lab.topology;
    const pristine = await networkState(endpoint);
    const env = {
      ...process.env,
      PATH: `${path.dirname(PROGRAM)}:${process.env['PATH'] ?? ''}`,
      GWMARK_CONTROL_SOCKET: path.join(lab.pki.directory, 'gwmark.sock'),
      GWMARK_CONFIG: '/dev/null',
    };
    const outputs: string[] = [];

    for (const { words, text } of blocks.filter(({ language }) => language === 'sh')) {
      const [where, when] = words;
      const lines = text.trim().split('\n').map((line) => line.replaceAll(SOCKET_OF_GUIDE, lab.server.managementSocket));
      if (when === 'background') {
        const { controlSocket } = await lab.startSidecar(...flagsOf(lines[0] ?? ''));
        assert.equal(controlSocket, env.GWMARK_CONTROL_SOCKET);
        continue;
      }
      if (when === 'connected') {
        await lab.introduceRouters();
        await lab.connect('client1');
        for (const family of FAMILIES) assert.equal((await ping(lab.party('hostA', family), lab.party('client1', family))).received, 3);
      }
      for (const namespace of where === 'router' ? [r1, r2, u] : [endpoint]) {
        for (const line of lines) {
          if (line === 'gwmark down') await lab.sidecar.stop();
          outputs.push(await namespace.run(['sh', '-ec', line], { env, timeoutMs: 40_000 }));
        }
      }
    }

    const printed = outputs.join('');
    assert.match(printed, /nothing is wrong/);
    assert.match(printed, /datapath nexthop: ready/);
    assert.match(printed, new RegExp(`answers of this flow leave lan0 to ${MAC.r1} \\(gateway \\d+\\)`));
    assert.match(printed, new RegExp(ADDRESS.r1.v4.replaceAll('.', '\\.')), 'gateways shows r1');
    assert.deepEqual(await networkState(endpoint), pristine, 'the way back leaves nothing');
  });
});

/** What `gwmark run` is given beside the management socket, which the lab gives. */
function flagsOf(line: string): readonly string[] {
  const [program, command, flag, , ...rest] = shellWords(line);
  assert.deepEqual([program, command, flag], ['gwmark', 'run', '--management']);
  return rest;
}
