/**
 * Reverse path filters that other programs make of rules: served where they ask with the mark, else named and not
 * called healthy.
 */
import assert from 'node:assert/strict';

import { assertFound, runDoctor } from '../lab/doctor.js';
import { runGwmark } from '../lab/sidecar.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { exchange, ping } from '../lab/traffic.js';
import { FAMILIES, TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { assertExchange, assertSentVia, KINDS } from './matrix.js';

interface Filter {
  readonly title: string;
  /** Shell lines, run in the endpoint. */
  readonly make: string;
  readonly unmake: string;
}

const table = (chain: string): Filter['make'] => `nft 'table inet other { chain rpf { ${chain}; }; }'`;
const NO_TABLE = 'nft delete table inet other';
const xtables = (verb: string): string =>
  ['iptables-nft', 'ip6tables-nft'].map((program) => `${program} -t raw ${verb} PREROUTING -m rpfilter`).join(' && ');
const iptables = (verb: string, options: string): string =>
  xtables(verb).replaceAll('-m rpfilter', `-m rpfilter ${options} --invert -j DROP`);

const SERVED: readonly Filter[] = [
  {
    title: '`fib saddr . mark . iif oif missing drop`',
    make: table('type filter hook prerouting priority raw; fib saddr . mark . iif oif missing drop'),
    unmake: NO_TABLE,
  },
  {
    title: 'the chain of NixOS, which drops all but what has a way back',
    make: table(
      'type filter hook prerouting priority mangle + 10; policy drop; meta nfproto ipv4 udp sport . udp dport { 68 . 67, 67 . 68 } accept; icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept; fib saddr . mark . iif oif exists accept',
    ),
    unmake: NO_TABLE,
  },
  {
    title: '`-m rpfilter --validmark` of iptables',
    make: iptables('-I', '--validmark'),
    unmake: iptables('-D', '--validmark'),
  },
];

/** Lets the sessions of OpenVPN live beside a filter that drops all else: the machine may be slow to look. */
const SESSION = 'iptables-nft -t raw VERB PREROUTING -p udp --dport 1194 -j ACCEPT';

const NAMED: readonly (Filter & { readonly where: RegExp })[] = [
  {
    title: '`fib saddr . iif oif missing drop`',
    make: table(
      'type filter hook prerouting priority filter; udp dport 1194 accept; fib saddr . iif oif missing drop',
    ),
    unmake: NO_TABLE,
    where: /nftables chain inet other rpf.*without the mark/,
  },
  {
    title: 'one before every chain of ours',
    make: table(
      'type filter hook prerouting priority -390; udp dport 1194 accept; fib saddr . mark . iif oif missing drop',
    ),
    unmake: NO_TABLE,
    where: /nftables chain inet other rpf.*at priority -390/,
  },
  {
    title: '`-m rpfilter` of iptables',
    make: `${iptables('-I', '')}; ${SESSION.replaceAll('VERB', '-I')}`,
    unmake: `${iptables('-D', '')}; ${SESSION.replaceAll('VERB', '-D')}`,
    where: /iptables chain raw PREROUTING.*without the mark/,
  },
];

describe('an endpoint with a reverse path filter made of rules', function () {
  this.timeout(patient(40_000));
  let lab: VpnLab;
  before(async () => {
    lab = await VpnLab.working({ transport: 'udp4' }, 'client1', 'client2');
  });
  after(async () => await lab?.[Symbol.asyncDispose]());

  const shell = async (text: string): Promise<string> => await lab.topology.endpoint.run(['sh', '-ec', text]);
  const isAnswering = async (): Promise<boolean> => (await shell('nft list chains')).includes('before_filters');
  const flags = (): string[] => ['--control-socket', lab.sidecar.controlSocket];

  it('has no rules for one where there is none', async () => {
    assert.ok(!(await isAnswering()));
  });

  for (const { title, make, unmake } of SERVED) {
    describe(title, () => {
      before(async () => {
        await shell(make);
        await eventually(isAnswering, { what: 'rules that answer the filter' });
      });
      after(async () => {
        await shell(unmake);
        await eventually(async () => !(await isAnswering()), { what: 'no rules for a filter' });
      });

      for (const family of FAMILIES) {
        it(`lets all kinds of traffic over IP${family} through, both ways`, async () => {
          for (const kind of KINDS) {
            await using capture = await lab.capture();
            const isOwn = await assertExchange(kind, lab.party('hostB', family), lab.party('client1', family));
            assertSentVia((await capture.frames()).filter(isOwn), ADDRESS.hostB[family], MAC.r2);
            await assertExchange(kind, lab.party('client2', family), lab.party('hostA', family));
          }
        });
      }

      it('still drops who claims on the link to be a client', async () => {
        await lab.topology.r2.ip(`address add ${TUNNEL.client2.v4}/32 dev lo`);
        const { received } = await ping(
          { namespace: lab.topology.r2, address: TUNNEL.client2.v4 },
          lab.party('client1', 'v4'),
          { count: 1, waitSeconds: 0.3 },
        );
        await lab.topology.r2.ip(`address del ${TUNNEL.client2.v4}/32 dev lo`);
        assert.equal(received, 0);
        assert.deepEqual(await lab.conntrack(`src=${TUNNEL.client2.v4} dst=${TUNNEL.client1.v4}`), []);
      });

      it('is ready, and the doctor is content', async () => {
        assert.deepEqual((await lab.sidecar.status()).problems, []);
        assertFound(
          await runDoctor(lab.topology.endpoint, { flags: flags() }),
          'path-filters',
          'ok',
          /gets the route to the gateway/,
        );
      });
    });
  }

  describe('and rules that masquerade a client', () => {
    const [raw, behindConntrack] = SERVED;
    before(async () => {
      await shell(`nft 'table inet masked { chain post { type nat hook postrouting priority srcnat;
        oifname lan0 ip saddr ${TUNNEL.client2.v4} masquerade; oifname lan0 ip6 saddr ${TUNNEL.client2.v6} masquerade; }; }'`);
    });
    after(async () => await shell('nft delete table inet masked'));

    it('lets replies to what that client opens through, behind connection tracking', async () => {
      await shell(behindConntrack?.make ?? '');
      try {
        await eventually(isAnswering, { what: 'rules that answer the filter' });
        for (const family of FAMILIES) {
          const result = await exchange('tcp', lab.party('client2', family), lab.party('hostB', family), {
            port: 7741,
          });
          assert.ok(result.ok, JSON.stringify(result));
        }
      } finally {
        await shell(NO_TABLE);
      }
    });

    it('drops them before it, and doctor and trace say so', async () => {
      await shell(raw?.make ?? '');
      try {
        await eventually(isAnswering, { what: 'rules that answer the filter' });
        const { received } = await ping(lab.party('client2', 'v4'), lab.party('hostB', 'v4'), {
          count: 1,
          waitSeconds: 0.3,
        });

        assert.equal(received, 0);
        const report = await runDoctor(lab.topology.endpoint, { flags: flags() });
        assertFound(report, 'path-filters', 'info', /chain inet other rpf .*before connection tracking.*masquerades/);
        const { code, stdout } = await runGwmark(lab.topology.endpoint, [
          'trace',
          ADDRESS.hostB.v4,
          TUNNEL.client2.v4,
          ...flags(),
        ]);
        assert.equal(code, 1);
        assert.match(stdout, /chain inet other rpf drops replies to a flow that the endpoint masquerades/);
      } finally {
        await shell(NO_TABLE);
      }
    });
  });

  for (const { title, make, unmake, where } of NAMED) {
    it(`is not ready beside ${title}, and doctor and trace name the rule`, async () => {
      await shell(make);
      try {
        const { problems } = await lab.sidecar.statusWhere(({ ready }) => !ready, 'not ready');
        assert.match(
          problems.join(),
          /chain (inet other rpf|raw PREROUTING) drops IPv4 packets from distant hosts on lan0/,
        );
        assertFound(await runDoctor(lab.topology.endpoint, { flags: flags() }), 'path-filters', 'error', where);
        const { code, stdout } = await runGwmark(lab.topology.endpoint, [
          'trace',
          ADDRESS.hostA.v4,
          TUNNEL.client1.v4,
          ...flags(),
        ]);
        assert.equal(code, 1);
        assert.match(stdout, where);
      } finally {
        await shell(unmake);
      }
      await lab.sidecar.statusWhere(({ ready }) => ready, 'ready again');
    });
  }

  it('is ready beside one that a default route satisfies', async () => {
    const defaults = FAMILIES.map((family) => `default via ${ADDRESS.u[family]}`);
    await lab.topology.endpoint.ip(...defaults.map((route) => `route add ${route}`));
    await shell(NAMED[0]?.make ?? '');
    try {
      const report = await runDoctor(lab.topology.endpoint, { flags: flags() });
      assert.ok(
        report.findings.some(
          ({ check, severity, found }) =>
            check === 'path-filters' && severity === 'info' && /default route goes through every link/.test(found),
        ),
      );
      await assertExchange('ping', lab.party('hostB', 'v4'), lab.party('client1', 'v4'));
    } finally {
      await shell(NO_TABLE);
      // Groups of tests run behind this one, and a filter is to find no way back there.
      await lab.topology.endpoint.ip(...defaults.map((route) => `route del ${route}`));
    }
  });
});
