import assert from 'node:assert/strict';

import type { Capture } from '../lab/capture.js';
import type { Frame } from '../lab/frame.js';
import { InlineLab, insertModule, removeModule } from '../lab/inline-lab.js';
import { runDoctor } from '../lab/doctor.js';
import { type NetworkState, networkState } from '../lab/network-state.js';
import { runGwmark } from '../lab/sidecar.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { Flow, ping } from '../lab/traffic.js';
import { FAMILIES, TUN_MTU, TUNNEL } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';
import { acknowledges, bytesOf } from './inline-frames.js';
import { describeTags } from './inline-tags.js';
import { assertExchange, assertNothingFarResolved, assertSentVia, KINDS, sentTo } from './matrix.js';

/** Addresses that only the VPN knows. */
const VPN = /^(10\.8\.0\.|fd00:8::|192\.168\.77\.|fd00:77::)/;
/** A whole frame, also one that segmentation offload left large. */
const WHOLE = 70_000;

type Family = (typeof FAMILIES)[number];

/** Next hops of the datapath `nexthop`: they exist only as permanent neighbours. */
const STAND_IN = / via (169\.254\.119\.\d+|fe80::6777:6d61:726b:[0-9a-f]+) /;

/** What the kernel that the suite runs in has. */
export interface InlineSuite {
  readonly datapath: 'nexthop' | 'module';
  /** Devices for VLAN tags. */
  readonly hasVlans: boolean;
  /** What OpenVPN's own packets are; default: `udp`. */
  readonly transport?: 'udp' | 'tcp';
}

/**
 * The conformance suite of the inline topology: the same for both datapaths, and for every kernel. The module is the
 * whole machine's, so with it the suite needs a kernel of its own.
 */
export function describeInline({ datapath, hasVlans, transport = 'udp' }: InlineSuite): void {
  describe(`an inline endpoint, real OpenVPN over ${transport} on its bridge, datapath ${datapath}`, function () {
    this.timeout(patient(60_000));
    const isModule = datapath === 'module';
    let lab: InlineLab;
    let pristine: NetworkState;
    /** On the cables to both routers, for all tests: starting tcpdump takes an emulated machine longer than an exchange. */
    let captures: Record<'r1' | 'r2', Capture>;

    before(async () => {
      if (isModule) await insertModule();
      lab = await InlineLab.create(transport);
      captures = { r1: await lab.capture('r1'), r2: await lab.capture('r2') };
      // As careful as a machine can be: the sidecar has to deal with it.
      await lab.endpoint.sysctl(...['all', 'default', 'br0'].map((device) => `net.ipv4.conf.${device}.rp_filter=1`));
      await bridgeFilter(0);
      // The kernel gives a bridge its own IPv6 address when it has a carrier.
      await eventually(
        async () => {
          pristine = await networkState(lab.endpoint);
          return /^fe80::\/64 dev br0 /m.test(pristine['routes6'] ?? '');
        },
        { what: 'the link-local address of br0' },
      );
      await lab.startSidecar('--datapath', datapath);
      await lab.connect('client1', 'client2');
    });
    after(async () => {
      for (const router of ['r1', 'r2'] as const) await captures?.[router][Symbol.asyncDispose]();
      await lab?.[Symbol.asyncDispose]();
      if (isModule) await removeModule();
    });

    /** Runs `action` and resolves with the frames that crossed the cable to either router meanwhile. */
    async function watching(action: () => Promise<void>): Promise<Record<'r1' | 'r2', readonly Frame[]>> {
      const [r1, r2] = [await captures.r1.mark(), await captures.r2.mark()];
      await action();
      return { r1: await captures.r1.frames(r1), r2: await captures.r2.frames(r2) };
    }

    /** The same for frames of a filter, whole. */
    async function watchingWhole(
      action: () => Promise<void>,
      filter: string,
    ): Promise<Record<'r1' | 'r2', readonly Frame[]>> {
      await using r1 = await lab.capture('r1', filter, WHOLE);
      await using r2 = await lab.capture('r2', filter, WHOLE);
      await action();
      return { r1: await r1.frames(), r2: await r2.frames() };
    }

    async function bridgeFilter(value: 0 | 1): Promise<void> {
      await lab.endpoint.sysctl(
        ...['iptables', 'ip6tables'].map((tables) => `net.bridge.bridge-nf-call-${tables}=${value}`),
      );
    }

    async function pings(from: 'host' | 'client2', address: string): Promise<boolean> {
      const family = address.includes(':') ? 'v6' : 'v4';
      return (await ping(lab.party(from, family), { address }, { count: 1, waitSeconds: 0.05 })).received === 1;
    }

    it('is bridge, sidecar and OpenVPN, and no box on the way has a route that mentions the VPN', async () => {
      const { servers, ...status } = await lab.sidecar.status();

      assert.equal(status.datapath, datapath);
      assert.deepEqual(
        servers.map(({ device }) => device),
        ['tun0'],
      );
      for (const box of ['host', 'r2', 'r1', 'away'] as const)
        assert.doesNotMatch(
          await lab.topology.routes(box),
          /10\.8\.|fd00:8:|192\.168\.77\.|fd00:77:|192\.0\.2\.10|2001:db8::10/,
          box,
        );
      const own = (await lab.topology.routes('endpoint')).split('\n');
      assert.deepEqual(
        own.filter((route) => / via /.test(route) && !STAND_IN.test(route)),
        [],
        'no route of the endpoint has the address of a router',
      );
      assert.deepEqual(
        own.filter(
          (route) => /dev (br0|p1|p2)/.test(route) && /10\.8|fd00|192\.168\.77|198\.51|2001:db8:[abc]/.test(route),
        ),
        [],
        'nothing far is routed to the bridge',
      );
    });

    for (const family of FAMILIES) {
      it(`answers over IP${family} what a host opens, out of r2's port to r2's MAC; r1 hears nothing of it`, async () => {
        const { r1, r2 } = await watching(async () => {
          for (const kind of KINDS)
            await assertExchange(kind, lab.party('host', family), lab.party('client1', family));
          await assertExchange('ping', lab.party('host', family), lab.party('site', family));
          await assertExchange('ping', lab.party('host', family), {
            namespace: lab.endpoint,
            address: TUNNEL.endpoint[family],
          });
        });

        assertSentVia(r2, ADDRESS.hostA[family], MAC.r2);
        assert.deepEqual(sentTo(r1, ADDRESS.hostA[family]), []);
        assert.deepEqual(
          r1.filter(({ ip }) => VPN.test(ip?.destination ?? '')),
          [],
          'no question passed the bridge',
        );
        assertSentVia(r1, ADDRESS.client1.v4, MAC.r1);
        assert.deepEqual(sentTo(r2, ADDRESS.client1.v4), [], "OpenVPN's datagrams left by r1's port alone");
        assertNothingFarResolved([...r1, ...r2]);
      });

      it(`takes over IP${family} what a client opens to r1, and straight to r2 once an answer came from there`, async () => {
        const own: ((frame: Frame) => boolean)[] = [];
        const { r1, r2 } = await watching(async () => {
          own.push(await assertExchange('tcp', lab.party('client2', family), lab.party('host', family)));
          await assertExchange('udp', lab.party('client2', family), lab.party('host', family));
          await assertExchange('ping', lab.party('client2', family), lab.party('host', family));
          await assertExchange('ping', lab.party('site', family), lab.party('host', family));
        });

        const host = ADDRESS.hostA[family];
        assertSentVia(r1, host, MAC.r1);
        assertSentVia(r2, host, MAC.r2);
        const isOwn = (frame: Frame): boolean => own.some((test) => test(frame));
        assert.ok(
          r2.some((frame) => isOwn(frame) && frame.ip?.source === host),
          'an answer was captured off the bridge',
        );
        assert.deepEqual(
          sentTo(r1, host).filter((frame) => isOwn(frame) && acknowledges(frame)),
          [],
          'what a client sends once it has an answer goes to r2',
        );
        assertSentVia(r1, ADDRESS.client2.v6, MAC.r1);
        assertNothingFarResolved([...r1, ...r2]);
      });

      it(`passes over IP${family} what is not of the VPN, each frame byte for byte`, async () => {
        const far = ADDRESS.hostB[family];
        const { r1, r2 } = await watchingWhole(async () => {
          for (const kind of KINDS) await assertExchange(kind, lab.party('host', family), lab.party('away', family));
          if (family === 'v4')
            assert.equal(
              (await ping(lab.party('host', family), { address: far }, { count: 1, size: 4000 })).received,
              1,
            );
        }, `host ${far}`);

        assert.ok(r1.length > 20, `${r1.length} frames`);
        for (const [from, to] of [
          [MAC.r2, MAC.r1],
          [MAC.r1, MAC.r2],
        ])
          assert.deepEqual(bytesOf(r1, from, to), bytesOf(r2, from, to));
        assert.deepEqual(
          [...new Set(r1.map(({ sourceMac, destinationMac }) => `${sourceMac} ${destinationMac}`))].toSorted(),
          [`${MAC.r1} ${MAC.r2}`, `${MAC.r2} ${MAC.r1}`],
        );
        assert.deepEqual(
          [...new Set(r2.filter(({ sourceMac }) => sourceMac === MAC.r1).map(({ ip }) => ip?.ttl))],
          [63],
          'one router on the way, and the bridge is none',
        );
      });
    }

    if (hasVlans) describeTags(() => lab, watchingWhole);

    it('tells a host the path MTU of the tunnel', async () => {
      for (const family of FAMILIES) {
        const options = { count: 1, size: TUN_MTU + 40, dontFragment: true };
        const { output } = await ping(lab.party('host', family), lab.party('client1', family), options);
        assert.match(output, new RegExp(`mtu ?= ?${TUN_MTU}`));
      }
    });

    it('is what doctor and trace say of it', async () => {
      const here = ['--control-socket', lab.sidecar.controlSocket];
      const { findings } = await runDoctor(lab.endpoint, { flags: here });
      for (const check of ['inline', 'nftables-table', 'br-netfilter', 'devices'])
        assert.deepEqual(
          findings.filter((finding) => finding.check === check && /warn|error/.test(finding.severity)),
          [],
          check,
        );

      for (const family of FAMILIES) {
        await assertExchange('ping', lab.party('host', family), lab.party('client1', family));
        const words = ['trace', ...here, '--json', '--proto', 'icmp', ADDRESS.hostA[family], TUNNEL.client1[family]];
        const { stdout, stderr } = await runGwmark(lab.endpoint, words);
        assert.match(stdout, /"step": ?"capture",\s*"ok": ?true/, stderr);
        assert.ok(stdout.includes(`leave br0 to ${MAC.r2}`), stdout);
      }
    });

    it('takes a client to the internet with one rule that masquerades, and r1 needs no route for that', async () => {
      await lab.endpoint.run(['nft', '-f', '-'], {
        input:
          'table inet user { chain post { type nat hook postrouting priority srcnat; oifname "br0" iifname "tun0" masquerade; }; }\n',
      });
      try {
        for (const family of FAMILIES)
          await assertExchange('tcp', lab.party('client1', family), lab.party('away', family));
      } finally {
        await lab.endpoint.run(['nft', 'delete', 'table', 'inet', 'user']);
      }
    });

    it('does all of it under br_netfilter too', async () => {
      await bridgeFilter(1);

      for (const family of FAMILIES) {
        const { r1, r2 } = await watching(async () => {
          await assertExchange('tcp', lab.party('host', family), lab.party('client1', family));
          await assertExchange('udp', lab.party('client1', family), lab.party('host', family));
          await assertExchange('ping', lab.party('host', family), lab.party('away', family));
        });
        assertSentVia(r2, ADDRESS.hostA[family], MAC.r2);
        assertSentVia(r1, ADDRESS.client1.v4, MAC.r1);
        assertNothingFarResolved([...r1, ...r2]);
      }
    });

    it('lets frames for a client that went pass to r1, and a flow that went on without it works when it is back', async () => {
      await using asking = lab.topology.boxes.host.spawn(['ping', '-n', '-i', '0.2', TUNNEL.client2.v4]);
      await asking.waitFor(/bytes from/);
      await lab.disconnect('client2');
      await lab.sidecar.statusWhere(({ clients }) => clients.length === 1, 'client2 is gone');

      const { r1 } = await watching(async () => assert.equal(await pings('host', TUNNEL.client2.v6), false));
      assert.ok(
        r1.some(
          ({ ip, sourceMac, destinationMac }) =>
            ip?.destination === TUNNEL.client2.v6 && sourceMac === MAC.r2 && destinationMac === MAC.r1,
        ),
      );
      const from = asking.lines.length;
      await lab.connect('client2');

      await asking.waitFor(/bytes from/, { from });
      await assertExchange('ping', lab.party('host', 'v6'), lab.party('client2', 'v6'));
    });

    it('loses not one packet to a kill -9 of the sidecar, nor to its restart', async () => {
      await using flow = await Flow.start('udp', lab.party('host', 'v4'), lab.party('client1', 'v4'), {
        intervalMs: 20,
      });
      const before = await lab.endpoint.run(['nft', '-s', 'list', 'table', 'bridge', 'gwmark']);

      await lab.sidecar.killHard();
      await flow.advance(20);
      await lab.sidecar.restart();
      await lab.known('client1', 'client2');
      await flow.advance(20);

      // Not their order: a veth hands a packet to the processor of its sender, and two processors of a guest run at
      // their own pace.
      const { lost } = await flow.stop();
      assert.equal(lost, 0);
      assert.equal(await lab.endpoint.run(['nft', '-s', 'list', 'table', 'bridge', 'gwmark']), before);
    });

    it('finds its bridge table flushed by hand, repairs it and says so', async () => {
      const from = lab.sidecar.log.length;

      await lab.endpoint.run(['nft', 'flush', 'table', 'bridge', 'gwmark']);

      await lab.sidecar.event('firewall.repaired', { from });
      await eventually(async () => await pings('host', TUNNEL.client1.v4), { what: 'the client is back in reach' });
    });

    if (isModule)
      it('is a plain bridge without the module, says that it is not ready, and works again by itself once it is loaded', async () => {
        await removeModule();

        await lab.sidecar.statusWhere(({ ready }) => !ready, 'the sidecar is not ready');
        const { r1 } = await watching(async () => {
          for (const family of FAMILIES) assert.equal(await pings('host', TUNNEL.client1[family]), false);
        });
        for (const family of FAMILIES) {
          assert.ok(
            r1.some(
              ({ ip, destinationMac }) => ip?.destination === TUNNEL.client1[family] && destinationMac === MAC.r1,
            ),
            'the question went where it was sent',
          );
          await assertExchange('ping', lab.party('host', family), lab.party('away', family));
        }
        await insertModule();
        await lab.sidecar.statusWhere(({ ready }) => ready, 'the sidecar is ready again');
        await eventually(
          async () => (await pings('host', TUNNEL.client1.v4)) && (await pings('host', TUNNEL.client1.v6)),
          { what: 'the client is back in reach', timeoutMs: 20_000 },
        );
      });

    it('is as before once `gwmark down` has run: no table, no rule, no route, no setting, and the module is off if there is one', async () => {
      await bridgeFilter(0);
      await lab.sidecar.stop();
      await assertExchange('ping', lab.party('host', 'v4'), lab.party('client1', 'v4'));

      await lab.sidecar.down();

      assert.deepEqual(await networkState(lab.endpoint), pristine);
      if (isModule) assert.match(await lab.moduleFile('config'), /^enabled 0$/m);
      const attempts = FAMILIES.map(
        (family: Family) => [lab.party('host', family), lab.party('client1', family)] as const,
      );
      for (const [from, to] of attempts)
        assert.equal((await ping(from, to, { count: 1, waitSeconds: 0.05 })).received, 0);
      await assertExchange('ping', lab.party('host', 'v4'), lab.party('away', 'v4'));
    });
  });
}
