/**
 * What another program uses already is found before anything is changed, all of it at once, each with the setting that
 * avoids it.
 */
import assert from 'node:assert/strict';
import { openNftables, type Nftables } from 'nftables-json';
import { EMPTY_PLAN, compileRouting, diffRouting } from '../../../rules/index.js';
import { checkClashes } from '../../../sidecar/routing/conflicts.js';
import { NftablesFirewall } from '../../../sidecar/firewall/nftables-firewall.js';
import { addRouting } from '../../../sidecar/routing/plan.js';
import { POLICY, gateway, site } from '../../unit/rules/sample-site.js';
import { ip, makeLan, makeTunnel, nft, resetKernel } from './kernel.js';

const CLASHES: readonly (readonly [what: string, line: string, message: RegExp])[] = [
  ['the first rule priority', 'rule add pref 10000 lookup main', /priority 10000 is in use: change routing\.priority/],
  [
    'the last priority of a gateway',
    '-6 rule add pref 10210 lookup main',
    /priority 10210 is in use: change routing\.priority/,
  ],
  [
    'the last priority that the settings claim',
    'rule add pref 10299 lookup main',
    /priority 10299 is in use: change routing\.priority/,
  ],
  [
    'a priority after main',
    'rule add pref 40015 lookup main',
    /priority 40015 is in use: change routing\.fallbackPriority/,
  ],
  [
    'bits of the mark in a rule',
    'rule add pref 50 fwmark 0x1000000/0x3000000 lookup main',
    /ip rule 50 uses mark 0x1000000/,
  ],
  [
    'the first routing table',
    'route add 203.0.113.0/24 dev lan0 table 7700',
    /table 7700 is in use: change routing\.tableBase/,
  ],
  [
    'the table of the last gateway',
    '-6 route add 2001:db8:9::/64 dev lan0 table 7910',
    /table 7910 is in use: change routing\.tableBase/,
  ],
  [
    'the protocol number',
    'route add 203.0.113.0/24 dev lan0 proto 147',
    /route 203\.0\.113\.0\/24 in table (254|main) has protocol 147: change routing\.protocol/,
  ],
  [
    'an address among the IPv4 next hops',
    'addr add 169.254.119.77/16 dev lan0',
    /lan0 has the address 169\.254\.119\.77: change routing\.nexthop4/,
  ],
  ['an address among the IPv6 next hops', 'addr add fe80::6777:6d61:726b:5/64 dev lan0', /change routing\.nexthop6/],
];

const FREE: readonly (readonly [what: string, line: string])[] = [
  ['a priority right before ours', 'rule add pref 9999 lookup main'],
  ['a priority right after ours', 'rule add pref 10300 lookup main'],
  ['a table right after ours', 'route add 203.0.113.0/24 dev lan0 table 8001'],
  ['other bits of the mark', 'rule add pref 50 fwmark 0x32/0xff lookup main'],
  ['a whole mark without our bits', 'rule add pref 50 fwmark 0x32 lookup main'],
  ['a link-local address', 'addr add 169.254.7.7/16 dev lan0'],
];

describe('checkClashes', () => {
  let nftables: Nftables;
  before(async () => {
    nftables = await openNftables();
  });
  beforeEach(async () => {
    await resetKernel();
    await makeLan('lan0', '192.0.2.5/24', '2001:db8:1::5/64');
    await makeTunnel('tun0', '198.51.100.1/24', '2001:db8:8::1/64');
  });
  after(async () => {
    await nftables[Symbol.asyncDispose]();
    await resetKernel();
  });

  for (const [what, line, message] of CLASHES) {
    it(`finds ${what} in use`, async () => {
      await ip(line);

      await assert.rejects(checkClashes(POLICY, new NftablesFirewall(nftables, POLICY.table)), {
        name: 'GwmarkError',
        code: 'ROUTING_CLASH',
        message,
      });
    });
  }

  for (const [what, line] of FREE) {
    it(`does not mind ${what}`, async () => {
      await ip(line);

      await checkClashes(POLICY, new NftablesFirewall(nftables, POLICY.table));
    });
  }

  for (const rule of [
    'meta mark set 0x1000000',
    'ct mark set ct mark or 0x80000000',
    'ct mark set meta mark and 0xffffff or 0x2000000',
  ]) {
    it(`finds that another program writes bits of the mark: ${rule}`, async () => {
      await nft(
        `table ip mangle { chain c { type filter hook prerouting priority -150; tcp dport 80 counter ${rule}; }; }`,
      );

      await assert.rejects(checkClashes(POLICY, new NftablesFirewall(nftables, POLICY.table)), {
        code: 'FIREWALL_CLASH',
        message: /chain ip mangle c sets mark bits of mark\.mask \(0xff000000\)/,
      });
    });
  }

  for (const rule of [
    'meta mark set 0x32',
    'ct mark set ct mark and 0xffffff00 or 0x32',
    'meta mark set ct mark',
    'ct mark 0x1000000 accept',
    'meta priority set 0x1000001',
  ]) {
    it(`does not mind: ${rule}`, async () => {
      await nft(
        `table ip mangle { chain c { type filter hook prerouting priority -150; tcp dport 80 counter ${rule}; }; }`,
      );

      await checkClashes(POLICY, new NftablesFirewall(nftables, POLICY.table));
    });
  }

  it('names every clash in one message', async () => {
    await ip(
      'rule add pref 10001 lookup main',
      'rule add pref 40001 lookup main',
      'route add 203.0.113.0/24 dev lan0 table 7777',
      'addr add 169.254.119.77/16 dev lan0',
    );

    await assert.rejects(checkClashes(POLICY, new NftablesFirewall(nftables, POLICY.table)), (error: unknown) => {
      for (const setting of ['routing.priority', 'routing.fallbackPriority', 'routing.tableBase', 'routing.nexthop4'])
        assert.ok((error as Error).message.includes(setting), setting);
      return true;
    });
  });

  it('does not take what an earlier run of ours left for another program’s', async () => {
    const plan = compileRouting(site({ gateways: [gateway(1)], uplink: gateway(1), clientRouteFamilies: [4, 6] }));
    await addRouting(POLICY, diffRouting(EMPTY_PLAN, plan));

    await checkClashes(POLICY, new NftablesFirewall(nftables, POLICY.table));
  });
});
