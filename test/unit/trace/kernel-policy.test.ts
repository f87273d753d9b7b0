import assert from 'node:assert/strict';

import type { BridgePort } from '../../../sidecar/discovery/bridge-ports.js';
import { parseIpsecPolicies } from '../../../sidecar/routing/ipsec-policies.js';
import type { RouteAnswer } from '../../../sidecar/routing/route-question.js';
import type { TracedModule, TraceReading } from '../../../sidecar/trace/reading.js';
import { LAN, TUNNEL } from '../rules/sample-site.js';
import {
  assertStopped,
  CLIENT,
  CLIENT_NETWORK,
  flow,
  HOST,
  MARKS,
  moduleWith,
  QUERY,
  RULES,
  told,
} from './sample-module.js';

function withKernel(fields: Partial<TracedModule>, reading: Partial<TraceReading> = {}): TraceReading {
  const base = moduleWith(reading);
  assert.ok(base.module);
  return { ...base, module: { ...base.module, ...fields } };
}

function policy(text: string): Partial<TracedModule> {
  return { ipsec: parseIpsecPolicies(text) };
}

function port(device: string, state: string, isLocked = false): BridgePort {
  return { device, bridge: 'br0', state, isLocked };
}

describe('explain, what the kernel alone would refuse or do otherwise', () => {
  const POLICIES = `src ${CLIENT}/32 dst ${HOST}/32 proto udp sport 80 \\\tdir out priority 7 ptype main \\\ttmpl src 192.0.2.2 dst 192.0.2.251\\\t\tproto esp spi 0x00001001 reqid 0 mode tunnel`;

  it('stops at an IPsec policy that takes the answers, and names no other way for them', async () => {
    const trace = await told(withKernel(policy(POLICIES)));

    assertStopped(trace, 'ipsec', /src 198\.51\.100\.7\/32 dst 203\.0\.113\.9\/32 proto udp sport 80\) encrypts it/);
    assert.equal(trace.instead, null);
  });

  it('passes beside policies of other flows, marks and devices, and under one that lets packets out as they are', async () => {
    const passing = [
      POLICIES.replace(HOST, '203.0.113.10'),
      POLICIES.replace('sport 80', 'sport 81'),
      POLICIES.replace('\\\ttmpl', '\\\tmark 0x1/0xffffffff \\\ttmpl'),
      POLICIES.replace('\\\ttmpl', '\\\tif_id 0x1 \\\ttmpl'),
      POLICIES.replace('dir out', 'dir fwd'),
      `src 0.0.0.0/0 dst 0.0.0.0/0 \\\tdir out priority 1 ptype main \\\n${POLICIES}`,
    ];

    for (const text of passing)
      assert.ok((await told(withKernel(policy(text)), { ...QUERY, destinationPort: 80 })).goesByMac, text);
  });

  it('stops at a policy that drops, and at one with the mark of the module', async () => {
    const block = `src ${CLIENT}/32 dst 0.0.0.0/0 \\\tdir out action block priority 0 ptype main \\\tmark ${MARKS} \\`;

    assertStopped(await told(withKernel(policy(`${block}\n${POLICIES}`))), 'ipsec', /drops it/);
  });

  it('stops where rp_filter drops what the client sends, and passes where its route leads into the tunnel', async () => {
    const strict = { strictTunnels: new Map([['tun0', 1]]) };
    const loose = { strictTunnels: new Map([['tun0', 2]]) };
    const elsewhere: RouteAnswer = { route: { dst: CLIENT, gateway: '192.0.2.1', dev: 'lan0' } };
    const back: RouteAnswer = { route: { dst: CLIENT, dev: 'tun0' } };

    assertStopped(
      await told(withKernel(strict), QUERY, elsewhere),
      'source',
      /rp_filter=1 on tun0: the route back to 198\.51\.100\.7 is via 192\.0\.2\.1 dev lan0/,
    );
    assertStopped(await told(withKernel(loose), QUERY), 'source', /is missing \(Network is unreachable\)/);
    assert.ok((await told(withKernel(strict), QUERY, back)).goesByMac);
    assert.ok((await told(withKernel(loose), QUERY, elsewhere)).goesByMac);
  });

  it('stops at a route that forbids what a client opens', async () => {
    const opened = moduleWith({ opened: { bySource: [], byDestination: [flow(CLIENT, HOST)] } });
    const types = {
      'Invalid argument': 'blackhole',
      'No route to host': 'unreachable',
      'Permission denied': 'prohibit',
    };

    for (const [refused, type] of Object.entries(types))
      assertStopped(await told(opened, QUERY, { refused }), 'route', new RegExp(`type ${type} forbids it`));
  });

  it('says that frames to all teach nothing', async () => {
    const unlearnt = { opened: { bySource: [flow(HOST, CLIENT)], byDestination: [] } };

    assertStopped(
      await told(withKernel({ stats: new Map([['learn_not_host', 4]]) }, unlearnt)),
      'conntrack',
      /4 selected packets came in frames to all/,
    );
  });

  it('stops where a bridge takes in no frame, and names the ports from which it takes none', async () => {
    const cable = { mac: '02:00:00:00:00:10', ports: [{ device: 'p1', mac: '02:00:00:00:00:11' }], vlan: null };
    const inline = {
      devices: { links: [{ ...LAN, device: 'br0', isBridge: true, cable }], tunnels: [TUNNEL], taps: [] },
      rules: { ...RULES, captured: [CLIENT_NETWORK] },
    };

    for (const datapath of ['module', 'nexthop'] as const)
      assertStopped(
        await told(moduleWith({ ...inline, datapath, ports: [port('p1', 'blocking'), port('p2', 'learning')] })),
        'capture',
        /br0 takes in no frame: p1 is blocking, p2 is learning \(STP\)/,
      );
    const ports = [port('p1', 'blocking'), port('p2', 'forwarding', true)];
    const some = await told(moduleWith({ ...inline, ports }));
    assert.ok(some.goesByMac);
    assert.ok(some.steps.some(({ text }) => text.endsWith('p1 is blocking, p2 is locked (802.1X)')));
  });
});
