import assert from 'node:assert/strict';

import { ADDRESS } from '../lab/topology.js';
import { exchange, type Party } from '../lab/traffic.js';
import { FAMILIES, VpnLab } from '../lab/vpn-lab.js';
import { sentTo } from './matrix.js';
import { patient } from '../lab/wait.js';

const PORT = 8080;

describe('a flow that is not of the VPN', function () {
  this.timeout(patient(30_000));
  let lab: VpnLab;
  const far: Party[] = [];

  before(async () => {
    lab = await VpnLab.working({ transport: 'udp4' }, 'client1');
    far.push(...FAMILIES.map((family) => lab.party('hostA', family)));
    // Counts at the very ends of the packet path, where every mark has been set.
    await lab.topology.endpoint.run(['nft', '-f', '-'], {
      input: `table inet probe {
        counter marked { }
        counter unmarked { }
        chain in { type filter hook input priority 300
          tcp dport ${PORT} meta mark != 0 counter name marked
          tcp dport ${PORT} meta mark 0 counter name unmarked
        }
        chain out { type filter hook postrouting priority 300
          tcp sport ${PORT} meta mark != 0 counter name marked
          tcp sport ${PORT} meta mark 0 counter name unmarked
        }
      }
`,
    });
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  async function packets(counter: string): Promise<number> {
    const text = await lab.topology.endpoint.run(['nft', 'list', 'counter', 'inet', 'probe', counter]);
    return Number(/packets (\d+)/.exec(text)?.[1]);
  }

  for (const family of FAMILIES) {
    it(`carries no mark, neither on its packets nor in conntrack, over IP${family}`, async () => {
      const unmarkedBefore = await packets('unmarked');

      const result = await exchange(
        'tcp',
        { namespace: lab.topology.local, address: ADDRESS.local[family] },
        { namespace: lab.topology.endpoint, address: ADDRESS.endpoint[family] },
        { port: PORT },
      );

      assert.ok(result.ok, JSON.stringify(result));
      assert.equal(await packets('marked'), 0);
      assert.ok((await packets('unmarked')) > unmarkedBefore + 10);
      const entries = await lab.conntrack(`dport=${PORT}`, ADDRESS.local[family]);
      assert.ok(entries.length > 0, 'the flow has a conntrack entry');
      assert.deepEqual(
        entries.filter((entry) => !entry.includes('mark=0 ')),
        [],
      );
    });

    it(`keeps the kernel's route over IP${family}: to a far host there is none`, async () => {
      const { code, stderr } = await lab.topology.endpoint.tryRun(['ip', 'route', 'get', ADDRESS.hostA[family]]);

      assert.notEqual(code, 0);
      assert.match(stderr, /unreachable/i);
    });

    it(`gets no answer of ours when a far host opens it over IP${family}`, async () => {
      await using capture = await lab.capture();
      const from = lab.party('hostA', family);

      const result = await exchange(
        'tcp',
        from,
        { namespace: lab.topology.endpoint, address: ADDRESS.endpoint[family] },
        { port: PORT, timeoutMs: 1_000 },
      );

      assert.equal(result.ok, false);
      assert.deepEqual(sentTo(await capture.frames(), from.address), []);
    });
  }
});
