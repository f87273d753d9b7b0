import assert from 'node:assert/strict';

import { type NetworkState, networkState } from '../lab/network-state.js';
import { FAMILIES, VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { assertExchange } from './matrix.js';
import { assertNothingLost, underTraffic } from './under-traffic.js';

describe('a sidecar that dies, stops or is disturbed', function () {
  this.timeout(patient(40_000));
  let lab: VpnLab;
  let pristine: NetworkState;

  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4' });
    pristine = await networkState(lab.topology.endpoint);
    await lab.startSidecar();
    await lab.connect('client1', 'client2');
    await lab.introduceRouters();
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  const gatewayIds = async (): Promise<Record<string, number>> =>
    Object.fromEntries((await lab.sidecar.gateways()).map((gateway) => [gateway.mac, gateway.id]));

  it('loses not one packet to a kill -9, and its restart keeps the gateway ids', async () => {
    const ids = await gatewayIds();

    const flows = await underTraffic(lab, async () => {
      await lab.sidecar.killHard();
      await assertExchange('tcp', lab.party('hostA', 'v4'), lab.party('client2', 'v4'));
      await lab.sidecar.restart();
      await lab.known('client1', 'client2');
    });

    assertNothingLost(flows);
    assert.deepEqual(await gatewayIds(), { ...(await gatewayIds()), ...ids });
  });

  it('leaves traffic running after a graceful stop, and exits with 0', async () => {
    const flows = await underTraffic(lab, async () => {
      const exit = await lab.sidecar.stop();
      assert.deepEqual(exit, { code: 0, signal: null });
      await assertExchange('udp', lab.party('hostB', 'v6'), lab.party('client1', 'v6'));
      await lab.sidecar.restart();
      await lab.known('client1', 'client2');
    });

    assertNothingLost(flows);
  });

  const damages = {
    'its table deleted': ['nft', 'delete', 'table', 'inet', 'gwmark'],
    'its table flushed': ['nft', 'flush', 'table', 'inet', 'gwmark'],
    'the whole ruleset flushed': ['nft', 'flush', 'ruleset'],
  } as const;
  for (const [damage, command] of Object.entries(damages)) {
    it(`finds ${damage} by hand, repairs it and says so`, async () => {
      const ruleset = async (): Promise<string> => await lab.topology.endpoint.run(['nft', 'list', 'ruleset']);
      const from = lab.sidecar.log.length;

      await lab.topology.endpoint.run(command);

      await lab.sidecar.event('firewall.repaired', { from });
      await eventually(
        async () => /10\.8\.0\.11[\s\S]*fd00:8::11|fd00:8::11[\s\S]*10\.8\.0\.11/.test(await ruleset()),
        { what: "client1's addresses are back" },
      );
      for (const family of FAMILIES)
        await assertExchange('tcp', lab.party('hostA', family), lab.party('client1', family));
    });
  }

  it('finds its rules and routes removed by hand, repairs them and says so', async () => {
    const from = lab.sidecar.log.length;
    const { endpoint } = lab.topology;

    const ours = (await endpoint.run(['ip', '-4', 'rule', 'show']))
      .split('\n')
      .map((line) => Number(line.split(':')[0]))
      .filter((priority) => priority > 0 && priority !== 32_766 && priority !== 32_767);
    assert.ok(ours.length > 0, 'the sidecar has rules');
    for (const priority of ours) await endpoint.run(['ip', '-4', 'rule', 'del', 'priority', String(priority)]);

    await lab.sidecar.event('routing.repaired', { from, timeoutMs: 15_000 });
    await eventually(
      async () => (await assertExchange('tcp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'))) !== undefined,
      { what: 'traffic flows again', timeoutMs: 15_000 },
    );
  });

  it('leaves no trace after `gwmark down`', async () => {
    await lab.sidecar.stop();

    await lab.sidecar.down();

    assert.deepEqual(await networkState(lab.topology.endpoint), pristine);
    assert.deepEqual(
      (await lab.conntrack('mark=')).filter((entry) => !/ mark=0 /.test(entry)),
      [],
      'no conntrack entry keeps a mark',
    );
  });

  it('takes `gwmark down` twice, and comes back after it', async () => {
    await lab.sidecar.down();

    await lab.sidecar.restart();
    await lab.known('client1', 'client2');

    await assertExchange('tcp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'));
  });
});
