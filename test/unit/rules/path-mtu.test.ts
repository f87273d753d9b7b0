/**
 * Where path MTUs of OpenVPN's sockets are stored; that the kernel stores them there is shown in
 * test/netns/transport-mtu.
 */
import assert from 'node:assert/strict';

import type { PolicyRule, RoutingPlan } from '../../../rules/index.js';
import { compileModuleRouting, compileNexthopStructure, compileRouting, legsTable } from '../../../rules/index.js';
import { LAN, POLICY, TUNNEL, UDP, gateway, network, site } from './sample-site.js';

const UDP6 = { ...UDP, families: [6] } as const;
const TCP = { ...UDP, protocol: 'tcp' } as const;
const BOTH = { ...LAN, addresses: ['192.0.2.5', '2001:db8::5'], families: [4, 6] } as const;
const WAN = {
  device: 'wan0',
  addresses: ['203.0.113.5'],
  onlink: [network('203.0.113.0/24')],
  families: [4],
  hasReversePathFilter: true,
  isReversePathStrict: true,
  isBridge: false,
} as const;

/** Rules that lead a look-up without ports somewhere. */
function stored({ rules }: RoutingPlan): PolicyRule[] {
  return rules.filter(({ priority }) => priority === 40_006);
}

function hasMark(transport: typeof UDP): boolean {
  return JSON.stringify(
    compileNexthopStructure(site({ links: [BOTH], transports: [transport] })).chains.get('prerouting'),
  ).includes('icmpv6');
}

describe('the rules for path MTUs', () => {
  it('lead look-ups without ports from a transport to where its socket finds its route, and let all that have a port go around', () => {
    const { rules } = compileRouting(
      site({ links: [BOTH], tunnels: [TUNNEL], transports: [{ ...UDP, families: [4] }] }),
    );

    assert.deepEqual(
      rules.filter(({ priority }) => priority >= 40_005),
      [
        { family: 4, priority: 40_005, table: 0, iif: 'lo', dport: [1, 65_534], goto: 40_007 },
        { family: 4, priority: 40_006, table: 7702, iif: 'lo', from: '192.0.2.5', ipproto: 'udp' },
        { family: 4, priority: 40_007, table: 0 },
      ],
    );
  });

  it('are there for the address that a transport is bound to alone, and not without a transport', () => {
    const bound = compileRouting(
      site({ links: [BOTH], transports: [{ ...TCP, families: [4], address: '192.0.2.77' }] }),
    );

    assert.deepEqual(
      stored(bound).map(({ from, ipproto }) => [from, ipproto]),
      [['192.0.2.77', 'tcp']],
    );
    assert.deepEqual(
      compileRouting(site({ links: [BOTH], transports: [] })).rules.filter(({ priority }) => priority >= 40_005),
      [],
    );
  });

  it('lead to the table of the legs where the socket has a source, for then its route is found there', () => {
    const legs = { links: [BOTH, WAN], tunnels: [TUNNEL], uplink: gateway(1), gateways: [gateway(1)] };
    const tables = (transport: typeof UDP): number[] => [
      ...new Set(stored(compileRouting(site({ ...legs, transports: [transport] }))).map(({ table }) => table)),
    ];

    assert.deepEqual(tables({ ...UDP, families: [4] }), [7702]);
    assert.deepEqual(tables({ ...UDP, families: [4], address: '192.0.2.5' }), [legsTable(POLICY)]);
    assert.deepEqual(tables({ ...TCP, families: [4] }), [legsTable(POLICY)]);
  });

  it('are not needed for IPv6 where errors have the mark of their flow, and are without a protocol on the module', () => {
    const transports = [UDP6];

    assert.deepEqual(stored(compileRouting(site({ links: [BOTH], transports }))), []);
    assert.deepEqual(stored(compileModuleRouting(site({ links: [BOTH], transports }))), [
      { family: 6, priority: 40_006, table: 7702, iif: 'lo', from: '2001:db8::5' },
    ]);
    assert.deepEqual(
      stored(compileModuleRouting(site({ links: [BOTH], transports: [{ ...TCP, families: [6] }] }))),
      [],
    );
  });

  it('come with a mark for errors of IPv6 over UDP, and of nothing else', () => {
    assert.ok(hasMark(UDP6));
    assert.ok(!hasMark({ ...UDP, families: [4] }));
    assert.ok(!hasMark({ ...TCP, families: [6] }));
  });
});
