import assert from 'node:assert/strict';

import type { Capture } from '../lab/capture.js';
import { OFFLOADS, type Transport } from '../lab/openvpn.js';
import type { Frame } from '../lab/frame.js';
import { PROTOCOL } from '../lab/frame.js';
import type { ExecResult } from '../lab/process.js';
import { IS_SAMPLE } from '../lab/sample.js';
import { runGwmark } from '../lab/sidecar.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { exchange, type Party, ping } from '../lab/traffic.js';
import { FAMILIES, type ClientName, TUNNEL, VpnLab } from '../lab/vpn-lab.js';
import { eventually, patient } from '../lab/wait.js';

/** Kinds of traffic; each proves itself end to end. */
export const KINDS = ['ping', 'tcp', 'udp'] as const;
export type TrafficKind = (typeof KINDS)[number];

const ON_SEGMENT = /^(192\.0\.2\.|2001:db8::|fe80:)/;

const ROUTER_OF = { hostA: MAC.r1, hostB: MAC.r2 } as const;

let nextPort = 20_000;

/**
 * Runs one kind of traffic from `client` to `server` and fails unless everything came back.
 * Resolves with a test whether a frame belongs to it: each exchange has a port of its own, so that the last
 * acknowledgement of an earlier one is not taken for it.
 */
export async function assertExchange(
  kind: TrafficKind,
  client: Party,
  server: Party,
): Promise<(frame: Frame) => boolean> {
  if (kind === 'ping') {
    const result = await ping(client, server);
    assert.equal(result.received, 3, result.output);
    return (frame) => frame.icmp !== undefined;
  }
  nextPort += 1;
  const port = nextPort;
  const result = await exchange(kind, client, server, { port });
  assert.deepEqual(result, { ...result, ok: true });
  return (frame) => frame.ports?.source === port || frame.ports?.destination === port;
}

/**
 * Whether one kind of traffic gets through, with a short wait. Every call must use a port of its own when they run at
 * once.
 */
export async function getsThrough(kind: TrafficKind, client: Party, server: Party, port: number): Promise<boolean> {
  if (kind === 'ping') return (await ping(client, server, { count: 2, waitSeconds: 0.5 })).received > 0;
  return (await exchange(kind, client, server, { bytes: 500, count: 2, timeoutMs: 750, port })).ok;
}

/**
 * Whether a sample has this exchange: 6 of the 24, in which any two of kind, family, host and direction have each pair of
 * values at least once.
 */
function isSampled(
  kind: TrafficKind,
  family: (typeof FAMILIES)[number],
  host: keyof typeof ROUTER_OF,
  opener: 'host' | 'client',
): boolean {
  const [first, atA, byHost] = [family === 'v4', host === 'hostA', opener === 'host'];
  if (kind === 'ping') return first === atA && first === byHost;
  return first !== atA && (first === byHost) === (kind === 'udp');
}

/** The frames that the endpoint sent to an address. */
export function sentTo(frames: readonly Frame[], address: string): readonly Frame[] {
  return frames.filter((frame) => frame.sourceMac === MAC.endpoint && frame.ip?.destination === address);
}

/** Fails unless the endpoint sent frames to `address`, and each of them to `mac`. */
export function assertSentVia(frames: readonly Frame[], address: string, mac: string): void {
  const sent = sentTo(frames, address);
  assert.ok(sent.length > 0, `the endpoint sent nothing to ${address}`);
  assert.deepEqual(
    [...new Set(sent.map((frame) => frame.destinationMac))],
    [mac],
    `destination MAC of frames to ${address}`,
  );
}

/**
 * Fails unless the endpoint sent frames of what a client opened to `address`, the first to the upstream router, and
 * all others there or to `mac`: how many were on their way before the first answer is not known.
 * `lost-entries.test.ts` shows where those after it go.
 */
export function assertOpenedVia(frames: readonly Frame[], address: string, mac: string): void {
  const macs = new Set(sentTo(frames, address).map((frame) => frame.destinationMac));
  assert.ok(macs.delete(MAC.u), `nothing for ${address} went to the upstream router`);
  macs.delete(mac);
  assert.deepEqual([...macs], [], `destination MAC of frames to ${address}`);
}

/**
 * Pings client1 from hostB: from the first packet on it is answered, and through r2 once the sidecar knows r2, which
 * so far it does not have to.
 */
export async function assertLearnt(lab: VpnLab, family: 'v4' | 'v6'): Promise<void> {
  const [host, client] = [lab.party('hostB', family), lab.party('client1', family)];

  const first = await ping(host, client, { count: 3 });
  await lab.sidecar.statusWhere(({ gateways }) => gateways.some((gateway) => gateway.mac === MAC.r2), 'r2 is known');
  await lab.sidecar.carries(MAC.r2);
  await using capture = await lab.capture();
  const later = await ping(host, client, { count: 3 });

  assert.deepEqual([first.received, later.received], [3, 3], first.output + later.output);
  const answers = sentTo(await capture.frames(), ADDRESS.hostB[family]).filter(
    (frame) => frame.ip?.source === TUNNEL.client1[family],
  );
  assert.equal(answers.length, 3);
  assertSentVia(answers, ADDRESS.hostB[family], MAC.r2);
}

/** Addresses that the endpoint asked ARP or neighbour discovery about. */
export function resolved(frames: readonly Frame[]): readonly string[] {
  return frames.flatMap((frame) => {
    if (frame.sourceMac !== MAC.endpoint) return [];
    if (frame.arp?.operation === 1) return [frame.arp.target];
    return frame.icmp?.type === 135 && frame.ip?.protocol === PROTOCOL.icmp6 ? [frame.icmp.target ?? ''] : [];
  });
}

/** Fails when the endpoint tried to resolve an address that is not on its segment. */
export function assertNothingFarResolved(frames: readonly Frame[]): void {
  assert.deepEqual(
    resolved(frames).filter((address) => !ON_SEGMENT.test(address)),
    [],
  );
}

/** Where the lab's OpenVPN server listens. */
const TRANSPORT_PORT = 1194;

const isTransport = ({ ports }: Frame): boolean =>
  ports?.source === TRANSPORT_PORT || ports?.destination === TRANSPORT_PORT;

/** Declares the whole matrix of hosts, directions, families and kinds over one OpenVPN transport. */
export function describeMatrix(transport: Transport): void {
  const clientOf = { hostA: 'client1', hostB: 'client2' } as const satisfies Record<string, ClientName>;

  describe(`a zero-route endpoint, OpenVPN over ${transport}`, function () {
    this.timeout(patient(30_000));
    let lab: VpnLab;
    /** One for all tests: starting tcpdump takes an emulated machine longer than an exchange. */
    let capture: Capture;
    before(async () => {
      lab = await VpnLab.create({ transport });
      capture = await lab.capture();
      await lab.startSidecar();
      await lab.introduceRouters();
      await lab.connect('client1', 'client2');
      // The endpoint knows it from the clients' own datagrams, a look later.
      await lab.sidecar.statusWhere(({ uplink }) => uplink !== null, 'the uplink is known');
    });
    after(async () => {
      await capture?.[Symbol.asyncDispose]();
      await lab?.[Symbol.asyncDispose]();
    });

    it('has no route in its main table but its own link and the tunnel', async () => {
      const routes = await lab.topology.endpoint.run(['ip', '-4', 'route', 'show']);
      const routes6 = await lab.topology.endpoint.run(['ip', '-6', 'route', 'show']);

      // With data channel offload OpenVPN gives its iroutes to the kernel; a device of that kind has no address of
      // scope link.
      assert.deepEqual(
        routes
          .trim()
          .split('\n')
          .map((line) => line.trim()),
        [
          '10.8.0.0/24 dev tun0 proto kernel scope link src 10.8.0.1',
          '192.0.2.0/24 dev lan0 proto kernel scope link src 192.0.2.10',
          ...(OFFLOADS ? [`192.168.77.0/24 via ${TUNNEL.client1.v4} dev tun0 metric 100`] : []),
        ],
      );
      assert.deepEqual(
        routes6
          .trim()
          .split('\n')
          .map((line) => line.split(' proto')[0]),
        [
          '2001:db8::/64 dev lan0',
          'fd00:8::/64 dev tun0',
          ...(OFFLOADS ? ['fd00:77::/64 via fd00:8::11 dev tun0'] : []),
          'fe80::/64 dev lan0',
          'fe80::/64 dev tun0',
        ],
      );
    });

    for (const family of FAMILIES) {
      for (const host of ['hostA', 'hostB'] as const) {
        for (const kind of KINDS) {
          const isChosen = (opener: 'host' | 'client'): boolean => !IS_SAMPLE || isSampled(kind, family, host, opener);

          if (isChosen('host'))
            it(`carries ${kind} over IP${family} that ${host} opens, and answers through the router that it came from`, async () => {
              const start = await capture.mark();

              const isOwn = await assertExchange(kind, lab.party(host, family), lab.party(clientOf[host], family));

              const frames = await capture.frames(start);
              assertSentVia(frames.filter(isOwn), ADDRESS[host][family], ROUTER_OF[host]);
              assertNothingFarResolved(frames);
            });

          if (isChosen('client'))
            it(`carries ${kind} over IP${family} that a client opens to ${host}, its first packet through the upstream router`, async () => {
              const start = await capture.mark();

              const isOwn = await assertExchange(kind, lab.party(clientOf[host], family), lab.party(host, family));

              const frames = await capture.frames(start);
              assertOpenedVia(frames.filter(isOwn), ADDRESS[host][family], ROUTER_OF[host]);
              assertNothingFarResolved(frames);
            });
        }
      }

      it(`answers pings to its own tunnel address over IP${family} through the router that they came from`, async () => {
        const start = await capture.mark();

        await assertExchange('ping', lab.party('hostB', family), {
          namespace: lab.topology.endpoint,
          address: TUNNEL.endpoint[family],
        });

        assertSentVia(await capture.frames(start), ADDRESS.hostB[family], MAC.r2);
      });
    }

    it("sends OpenVPN's own packets to the upstream router", async () => {
      const start = await capture.mark();

      await assertExchange('ping', lab.party('client1', 'v4'), lab.party('hostA', 'v4'));
      await assertExchange('ping', lab.party('client2', 'v6'), lab.party('hostB', 'v6'));

      const outer = transport.endsWith('6') ? 'v6' : 'v4';
      const frames = (await capture.frames(start)).filter(isTransport);
      assertSentVia(frames, ADDRESS.client1[outer], MAC.u);
      assertSentVia(frames, ADDRESS.client2[outer], MAC.u);
      assert.ok(sentTo(frames, ADDRESS.client1[outer]).every((frame) => frame.ports?.source === TRANSPORT_PORT));
    });

    if (!IS_SAMPLE)
      it('is explained by `gwmark trace` as the frames show it', async () => {
        const outer = transport.endsWith('6') ? 'v6' : 'v4';
        const questions = [
          {
            from: 'hostB',
            to: { name: 'client2', family: 'v6' },
            words: [ADDRESS.hostB.v6, TUNNEL.client2.v6, '--proto', 'icmp'],
            says: `answers of this flow leave lan0 to ${MAC.r2} `,
          },
          {
            from: 'client1',
            to: { name: 'hostB', family: 'v4' },
            words: [ADDRESS.hostB.v4, TUNNEL.client1.v4, '--proto', 'icmp'],
            says: `what ${TUNNEL.client1.v4} sends to ${ADDRESS.hostB.v4} leaves lan0 to ${MAC.r2} `,
          },
          {
            from: 'client1',
            to: { name: 'hostB', family: 'v4' },
            words: [ADDRESS.client1[outer], ADDRESS.endpoint[outer], '--dport', '1194'],
            says: `answers of this flow leave lan0 to ${MAC.u} `,
          },
        ] as const;
        let wrong: readonly string[] = [];

        // A busy machine may lose a client's keepalive, and with the client its flows: then they are made again.
        await eventually(
          async () => {
            const told: ExecResult[] = [];
            // One by one: an entry of ICMP lives for 30 s.
            for (const { words, from, to } of questions) {
              await ping(lab.party(from, to.family), lab.party(to.name, to.family), { count: 1 });
              told.push(
                await runGwmark(lab.topology.endpoint, [
                  'trace',
                  ...words,
                  '--control-socket',
                  lab.sidecar.controlSocket,
                ]),
              );
            }
            wrong = told
              .filter(({ stdout }, index) => !stdout.includes(questions[index]?.says ?? ''))
              .map(({ stdout, stderr }) => stdout + stderr);
            return wrong.length === 0;
          },
          { what: 'trace says where the frames went', timeoutMs: 15_000 },
        ).catch((error: unknown) => assert.fail(`${String(error)}\n${wrong.join('\n')}`));
      });

    it('carries nothing once `gwmark down` has removed it', async () => {
      await lab.sidecar.stop();
      await lab.sidecar.down();

      const attempts = FAMILIES.flatMap((family) =>
        KINDS.flatMap((kind) => [
          [kind, lab.party('hostA', family), lab.party('client1', family)] as const,
          [kind, lab.party('client2', family), lab.party('hostB', family)] as const,
        ]),
      );
      const outcomes = await Promise.all(
        attempts.map(async ([kind, from, to], index) => await getsThrough(kind, from, to, 9000 + index)),
      );

      assert.deepEqual(
        outcomes,
        attempts.map(() => false),
      );
    });
  });
}
