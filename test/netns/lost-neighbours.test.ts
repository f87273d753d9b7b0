/**
 * Another program removes our permanent neighbours and rules: that is an event, not a matter of the next periodic
 * reading.
 */
import assert from 'node:assert/strict';

import { ADDRESS, MAC } from '../lab/topology.js';
import { ping } from '../lab/traffic.js';
import { VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { assertExchange } from './matrix.js';

/** A minute until the sidecar looks by itself. */
const SELDOM = ['--management-snapshot-interval-ms', '60000', '--routing-reread-interval-ms', '60000'];

const LOSSES: readonly { readonly title: string; readonly lines: string }[] = [
  {
    title: 'ip neigh del',
    lines: 'for n in $(ip neigh show proto 147 | cut -d" " -f1); do ip neigh del $n dev lan0; done',
  },
  { title: 'ip neigh flush', lines: 'ip neigh flush dev lan0 nud permanent' },
  {
    title: 'another MAC',
    lines:
      'for n in $(ip neigh show proto 147 | cut -d" " -f1); do ip neigh replace $n lladdr 02:00:00:00:be:ef dev lan0 nud permanent; done',
  },
  {
    title: 'an entry that expires',
    lines:
      'for n in $(ip neigh show proto 147 | cut -d" " -f1); do ip neigh replace $n lladdr 02:00:00:00:be:ef dev lan0 nud stale; done',
  },
  {
    title: 'ip rule del, as systemd-networkd with ManageForeignRoutingPolicyRules',
    lines: 'for f in 4 6; do ip -$f rule flush proto 147; done',
  },
];

describe('a network manager that removes what is ours in routing', function () {
  this.timeout(patient(40_000));
  let lab: VpnLab;
  before(async () => {
    lab = await VpnLab.working({ transport: 'udp4', flags: SELDOM }, 'client1');
  });
  after(async () => await lab?.[Symbol.asyncDispose]());
  // Counts the repairs, for each test separately.
  beforeEach(async () => {
    await lab.sidecar.stop();
    await lab.sidecar.restart();
  });

  const shell = async (text: string): Promise<string> => await lab.topology.endpoint.run(['sh', '-ec', text]);
  const ours = async (): Promise<string> =>
    await shell('ip -4 neigh show proto 147; ip -6 neigh show proto 147; ip -4 rule; ip -6 rule');

  const repaired = async (): Promise<number> =>
    (await lab.sidecar.statusWhere(() => true, 'a status')).repairs?.routing ?? 0;

  for (const { title, lines } of LOSSES) {
    it(`does no harm for longer than a moment: ${title}`, async () => {
      const healthy = await ours();
      const from = lab.sidecar.log.length;

      await shell(lines);
      await eventually(async () => (await ours()) === healthy, { what: 'routing as before', timeoutMs: 3000 });

      await assertExchange('ping', lab.party('hostB', 'v4'), lab.party('client1', 'v4'));
      const { fields } = await lab.sidecar.event('routing.repaired', { from });
      assert.match(String(fields['missing']), /(neigh 169\.254\.119\.\d+ lladdr \S+ dev lan0|-4 rule pref \d+)/);
    });
  }

  it('is no concern of it where the link itself went down and up', async () => {
    const from = lab.sidecar.log.length;
    await shell('ip link set lan0 down');
    await lab.sidecar.event('gateway.gone', { from });
    await shell(`ip link set lan0 up; ip address add ${ADDRESS.endpoint.v6}/64 dev lan0`);
    await lab.introduceRouters();
    await eventually(
      async () => (await ping(lab.party('hostB', 'v4'), lab.party('client1', 'v4'), { count: 1 })).received === 1,
      { what: 'an answer' },
    );
    const log = lab.sidecar.log
      .slice(from)
      .filter(({ event }) => event === 'firewall.failed' || event === 'routing.contested');
    assert.deepEqual(log, []);
  });

  it('is fought at full speed for a burst, then ever slower, and one line of the log and the status say who wins', async () => {
    const from = lab.sidecar.log.length;
    const fight = lab.topology.endpoint.spawn([
      'sh',
      '-c',
      'while :; do ip neigh flush dev lan0 nud permanent 2>/dev/null; echo removed; sleep 0.05; done',
    ]);
    try {
      await lab.sidecar.event('routing.contested', { from, timeoutMs: 20_000 });
      await lab.sidecar.statusWhere(
        ({ problems }) =>
          problems.some((problem) => /another program repeatedly removes neigh .* dev lan0/.test(problem)),
        'the status names it',
      );
      const [removals, said] = [fight.lines.length, lab.sidecar.log.length];
      const repairs = await repaired();
      // At full speed each removal would be answered.
      await eventually(async () => (await repaired()) >= repairs + 2, { what: 'two more repairs' });
      const meanwhile = fight.lines.length - removals;
      assert.ok(meanwhile > 4, `${meanwhile} removals`);
      assert.deepEqual(
        lab.sidecar.log.slice(said).filter(({ event }) => event.startsWith('routing.')),
        [],
      );
    } finally {
      await fight.stop();
    }
    await eventually(async () => (await shell('ip neigh show proto 147')).includes(MAC.r2), {
      what: 'neighbours after the fight',
      timeoutMs: 20_000,
    });
  });
});
