import assert from 'node:assert/strict';
import {
  EMPTY_PLAN,
  compileIptablesNexthop,
  compileNexthopStructure,
  compileRouting,
  legsTable,
  markWithoutGateway,
  needsLegs,
} from '../../../rules/index.js';
import { LAN, POLICY, TUNNEL, UDP, gateway, network, site } from './sample-site.js';

const STRICT = { ...LAN, hasReversePathFilter: true, isReversePathStrict: true };
const WAN = {
  device: 'wan0',
  addresses: ['203.0.113.5'],
  onlink: [network('203.0.113.0/24')],
  families: [4],
  hasReversePathFilter: false,
  isBridge: false,
} as const;
const LEGS = site({
  links: [STRICT, WAN],
  gateways: [gateway(1)],
  uplink: gateway(1),
  tunnels: [TUNNEL],
  transports: [UDP],
});

describe('the legs of an endpoint with a strict rp_filter', () => {
  it('are needed with several links of IPv4, one of them strict, and with nothing less', () => {
    assert.ok(needsLegs([STRICT, WAN]));
    assert.ok(!needsLegs([STRICT]));
    assert.ok(!needsLegs([STRICT, { ...WAN, families: [6] }]));
    assert.ok(!needsLegs([{ ...LAN, hasReversePathFilter: true }, WAN]), 'loose');
  });

  it('are one multipath route over every link, which no look-up by a packet itself ends at', () => {
    const { rules, routes } = compileRouting(LEGS);
    const table = legsTable(POLICY);

    assert.deepEqual(
      routes.filter((route) => route.table === table),
      [{ family: 4, table, destination: 'default', device: 'lan0', devices: ['lan0', 'wan0'] }],
    );
    const fallback = rules
      .filter(({ family, priority }) => family === 4 && priority >= 40_000)
      .toSorted((a, b) => a.priority - b.priority);
    assert.deepEqual(fallback[0], {
      family: 4,
      priority: 40_000,
      table: 7701,
      fwmark: { value: POLICY.markMask, mask: POLICY.markMask },
    });
    // The filter asks without a protocol, or with one and ports: where path MTUs are stored, it is never led.
    const isAsked = ({ iif, ipproto, sport, dport }: (typeof fallback)[number]): boolean =>
      !(iif === 'lo' && ipproto !== undefined && sport === undefined && dport === undefined);
    assert.deepEqual(
      fallback.filter((rule) => rule.table === 7702 && rule.from !== '0.0.0.0' && isAsked(rule)),
      [],
      'what has a source is the filter’s question too',
    );
    assert.ok(!compileRouting({ ...LEGS, links: [STRICT] }).rules.some((rule) => rule.table === table));
  });

  it('have their mark set first but for what another program wrote, so that a gateway’s comes over it', () => {
    const { chains } = compileNexthopStructure(LEGS);
    const first = JSON.stringify(chains.get('prerouting')?.rules?.[1]);
    assert.match(first, /"iifname"}},"right":"tun0"}.*mangle/);
    assert.match(JSON.stringify(chains.get('output')?.rules?.[0]), /"ipv4".*mangle/);

    const words = compileIptablesNexthop(LEGS, { families: [4, 6], hasMacSets: true })
      .chains.filter(({ from }) => from === 'PREROUTING')
      .map(({ rules }) => rules?.[1]?.join(' '));
    assert.match(words[0] ?? '', /^-i tun0 -j MARK --set-xmark 0x[f0]+\/0x[f0]+$/);
    assert.doesNotMatch(words[1] ?? '', /MARK/, 'IPv6 has no such filter');
  });

  it('are what a packet without a gateway is looked up with', () => {
    assert.equal(markWithoutGateway(POLICY, compileRouting(LEGS)), POLICY.markMask);
    assert.equal(markWithoutGateway(POLICY, EMPTY_PLAN), 0);
  });
});
