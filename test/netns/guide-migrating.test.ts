/**
 * docs/guides/migrating.md, run unchanged on an endpoint that has routes and NAT: at each step everything is
 * reached, and no flow breaks.
 */
import assert from 'node:assert/strict';

import { typeGuide } from '../lab/guide-run.js';
import { networkState } from '../lab/network-state.js';
import { ADDRESS, MAC, NETWORK } from '../lab/topology.js';
import { Flow, ping } from '../lab/traffic.js';
import { TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';
import { assertSentVia } from './matrix.js';

const NAT = `iptables -t nat -A POSTROUTING -s ${NETWORK.vpn.v4} -o lan0 -j MASQUERADE`;

describe('the guide from static routes and NAT to gwmark', function () {
  this.timeout(patient(150_000));

  it('takes both away step by step, and hosts, clients and a live flow notice nothing', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    const { endpoint } = lab.topology;
    await endpoint.sysctl('net.ipv4.ip_forward=1');
    // iptables makes its table with the first rule, and leaves it.
    await endpoint.run(['sh', '-ec', `${NAT}; ${NAT.replace('-A', '-D')}`]);
    const pristine = await networkState(endpoint);
    await endpoint.ip(
      `route add ${NETWORK.hostA.v4} via ${ADDRESS.r1.v4}`,
      `route add ${NETWORK.hostB.v4} via ${ADDRESS.r2.v4}`,
      `route add default via ${ADDRESS.u.v4}`,
    );
    await endpoint.run(['sh', '-ec', NAT]);
    await lab.connect('client1', 'client2');
    await using flow = await Flow.start('tcp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'));
    const steps: string[] = [];

    const printed = await typeGuide({
      lab,
      file: 'docs/guides/migrating.md',
      before: {
        // On a real endpoint, routers have talked to it for years.
        beside: async () => {
          await lab.known('client1', 'client2');
          await lab.introduceRouters();
          assert.equal((await ping(lab.party('hostB', 'v4'), lab.party('client2', 'v4'))).received, 3);
        },
        back: async () => {
          assert.doesNotMatch(await endpoint.run(['ip', 'route', 'show']), /default|via/, 'no route is left');
          await using capture = await lab.capture('icmp');
          await ping(lab.party('hostB', 'v4'), lab.party('client2', 'v4'));
          assertSentVia(
            (await capture.frames()).filter((frame) => frame.ip?.source === TUNNEL.client2.v4),
            ADDRESS.hostB.v4,
            MAC.r2,
          );
        },
      },
      after: async ({ text, words }) => {
        if (words.includes('back')) return;
        await flow.advance(5);
        assert.equal(
          (await ping(lab.party('hostA', 'v4'), lab.party('client1', 'v4'), { count: 1 })).received,
          1,
          text,
        );
        assert.equal(
          (await ping(lab.party('client2', 'v4'), lab.party('hostB', 'v4'), { count: 1 })).received,
          1,
          text,
        );
        steps.push(text);
      },
    });

    assert.ok(steps.length >= 6, steps.join('\n'));
    assert.match(printed, new RegExp(`answers of this flow leave lan0 to ${MAC.r1} \\(gateway \\d+\\)`));
    assert.deepEqual(await networkState(endpoint), pristine, 'the way back leaves nothing');
  });
});
