/** A pair of endpoints under VRRP (keepalived), of which the master loses its power under live flows. */
import assert from 'node:assert/strict';

import { EndpointPair } from '../lab/endpoint-pair.js';
import type { OpenVpnClient } from '../lab/openvpn.js';
import { type MemberName, OWN, type PairParty, type PairPlace } from '../lab/pair-place.js';
import { Flow, type FlowSummary } from '../lab/traffic.js';
import { FAMILIES } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';
import { assertExchange } from './matrix.js';

/** Of losing power, each some ten seconds. */
const ROUNDS = Number(process.env['PAIR_ROUNDS'] ?? 2);

/** A flow that lives through everything: of a host, of the site behind the client, or of the client. */
export type Living = readonly [protocol: 'tcp' | 'udp', from: PairParty, to: PairParty, family: 'v4' | 'v6'];

/** The suite of a pair of endpoints, in a topology. */
export function describePair(
  topology: string,
  createPlace: () => Promise<PairPlace>,
  living: readonly Living[],
): void {
  describe(`a pair of endpoints (keepalived), ${topology}, whose master loses its power`, function () {
    this.timeout(patient(60_000));
    let pair: EndpointPair;
    let client: OpenVpnClient;
    let master: MemberName = 'a';
    const backup = (): MemberName => (master === 'a' ? 'b' : 'a');

    before(async () => {
      pair = await EndpointPair.create(await createPlace());
      client = await pair.connect(master);
    });
    after(async () => {
      await client?.[Symbol.asyncDispose]();
      await pair?.[Symbol.asyncDispose]();
    });

    it('has a backup that is ready, and sends nothing of the VPN while the master works', async () => {
      const { place } = pair;
      await using cable = await place.capture(backup(), `ether src ${OWN[backup()].mac} and (udp or tcp)`);

      for (const family of FAMILIES)
        await assertExchange('tcp', place.party('hostA', family), place.party('site', family));

      assert.deepEqual(await cable.frames(), []);
      const { ready, clients, problems } = await pair.member(backup()).sidecar.status();
      assert.deepEqual([ready, clients, problems], [true, [], []]);
    });

    it(`goes on at the other one, ${ROUNDS} times, with the TCP connections that there were`, async function () {
      this.timeout(patient(60_000) * ROUNDS);
      const { place } = pair;
      const flows: Flow[] = [];
      for (const [index, [protocol, from, to, family]] of living.entries())
        flows.push(
          await Flow.start(protocol, place.party(from, family), place.party(to, family), {
            port: 7831 + index,
            intervalMs: 100,
          }),
        );
      for (let round = 1; round <= ROUNDS; round += 1) {
        const from = client.process.lines.length;
        const begin = performance.now();
        const sinceMs = (): string => `${Math.round(performance.now() - begin)} ms`;
        await pair.powerOff(master);
        master = backup();
        await pair.isMaster(master);
        const told = [`round ${round}: master after ${sinceMs()}`];
        await client.connected({ from, timeoutMs: 60_000 });
        await pair.serves(master);
        told.push(`client served after ${sinceMs()}`);
        await Promise.all(flows.map((flow) => flow.advance(1, 60_000)));
        console.log(`      ${[...told, `every flow goes on after ${sinceMs()}`].join(', ')}`);

        // What a client sends before a frame of the flow came from a router goes to the uplink.
        await using cable = await place.captureAtRouters(master, 'tcp');
        await Promise.all(flows.map((flow) => flow.advance(10)));
        const answers = (await cable.frames()).filter(({ sourceMac }) => sourceMac === OWN[master].mac);
        for (const [host, mac] of Object.entries(place.routerOf)) {
          const addresses: readonly string[] = FAMILIES.map(
            (family) => place.party(host as PairParty, family).address,
          );
          const own = answers.filter(({ ip }) => ip !== undefined && addresses.includes(ip.destination));
          assert.deepEqual([...new Set(own.map(({ destinationMac }) => destinationMac))], [mac], host);
        }
        await pair.powerOn(backup());
      }
      const sums: FlowSummary[] = [];
      for (const flow of flows) sums.push(await flow.stop());
      for (const [index, { lost, sent, maxGapMs }] of sums.entries())
        console.log(`      ${living[index]?.join(' ')}: ${lost} of ${sent} records lost, longest gap ${maxGapMs} ms`);

      const tcp = sums.filter((_, index) => living[index]?.[0] === 'tcp');
      assert.deepEqual(
        tcp.map(({ lost, disordered }) => ({ lost, disordered })),
        tcp.map(() => ({ lost: 0, disordered: 0 })),
      );
      for (const family of FAMILIES)
        await assertExchange('tcp', place.party('client1', family), place.party('hostA', family));
    });
  });
}
