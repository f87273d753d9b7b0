/** Routers that share an address and both forward: anycast gateways, and pairs of switches (MLAG, VARP). */
import assert from 'node:assert/strict';

import type { Frame } from '../lab/frame.js';
import type { Namespace } from '../lab/namespace.js';
import { RouterPair } from '../lab/router-pair.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { Flow } from '../lab/traffic.js';
import { FAMILIES, VpnLab } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';

/** Records of each flow, at 10 ms each. */
const RECORDS = 100;
/** That of the pair: ARP has it, no frame that they forward. */
const SHARED_MAC = '00:1c:73:00:00:99';
const SECOND_MAC = '02:00:00:00:01:02';
const INNER = { v4: '198.51.100.1', v6: '2001:db8:a::1' } as const;

/** From now on hostA sends this family through that router. */
async function useRouter(lab: VpnLab, family: 'v4' | 'v6', router: Namespace): Promise<void> {
  const listing = await router.run(['ip', '-o', 'link', 'show', 'lan1']);
  const mac = /link\/ether (\S+)/.exec(listing)?.[1] ?? assert.fail(listing);
  await lab.topology.hostA.ip(`neigh replace ${INNER[family]} lladdr ${mac} dev lan nud permanent`);
}

/** IPv4 through the first router, IPv6 through the second. */
async function flowsThroughBoth(lab: VpnLab, routers: RouterPair, port: number): Promise<readonly Flow[]> {
  await useRouter(lab, 'v4', routers.first);
  await useRouter(lab, 'v6', routers.second);
  return await Promise.all(
    FAMILIES.map((family) => Flow.start('tcp', lab.party('hostA', family), lab.party('client1', family), { port })),
  );
}

const isAnswer = ({ sourceMac, ip }: Frame): boolean =>
  sourceMac === MAC.endpoint && (ip?.destination === ADDRESS.hostA.v4 || ip?.destination === ADDRESS.hostA.v6);

/** The MAC addresses that answers went to while the flows went on. */
async function answeredAt(lab: VpnLab, flows: readonly Flow[]): Promise<readonly string[]> {
  await using capture = await lab.capture();
  await Promise.all(flows.map((flow) => flow.advance(RECORDS)));
  return [...new Set((await capture.frames()).filter(isAnswer).map(({ destinationMac }) => destinationMac))];
}

/** One router dies; what came through it comes through the other one. Nothing moves, and nothing is lost of TCP. */
async function loseSecond({ lab, routers, flows }: Place, mac: string): Promise<void> {
  const before = (await lab.sidecar.gateways()).map(({ id, moves }) => [id, moves]);

  await routers.unplug('second');
  await useRouter(lab, 'v6', routers.first);

  assert.deepEqual(await answeredAt(lab, flows), [mac]);
  for (const flow of flows) assert.equal((await flow.stop()).lost, 0);
  assert.deepEqual(
    (await lab.sidecar.gateways()).map(({ id, moves }) => [id, moves]),
    before,
  );
}

/** Two routers that share addresses, and flows through both. */
interface Place extends AsyncDisposable {
  readonly lab: VpnLab;
  readonly routers: RouterPair;
  readonly flows: readonly Flow[];
}

/**
 * @param outer gives each router the shared address on the segment
 */
async function makePlace(
  { port, secondMac, outer }: { port: number; secondMac: string; outer: readonly string[] },
  ...flags: readonly string[]
): Promise<Place> {
  const lab = await VpnLab.create({ transport: 'udp4' });
  const routers = await RouterPair.create(lab.topology, 'r1', secondMac);
  for (const router of [routers.first, routers.second]) {
    await router.sysctl('net.ipv4.conf.all.arp_ignore=1');
    await router.ip(...outer, `address add ${INNER.v4}/25 dev lan1`, `address add ${INNER.v6}/64 dev lan1 nodad`);
  }
  await lab.startSidecar(...flags);
  await lab.connect('client1');
  const flows = await flowsThroughBoth(lab, routers, port);
  return {
    lab,
    routers,
    flows,
    async [Symbol.asyncDispose]() {
      for (const flow of flows) await flow[Symbol.asyncDispose]();
      await routers[Symbol.asyncDispose]();
      await lab[Symbol.asyncDispose]();
    },
  };
}

describe('an anycast gateway: two routers with one MAC address and one address', function () {
  this.timeout(patient(60_000));
  let place: Place;
  before(async () => {
    const outer = [`address add ${ADDRESS.r1.v4}/24 dev lan0`, `address add ${ADDRESS.r1.v6}/64 dev lan0 nodad`];
    place = await makePlace({ port: 7861, secondMac: MAC.r1, outer });
  });
  after(async () => await place?.[Symbol.asyncDispose]());

  it('is one gateway, which answers of flows through either router go to', async () => {
    assert.deepEqual(await answeredAt(place.lab, place.flows), [MAC.r1]);
    const gateways = await place.lab.sidecar.gateways();
    assert.equal(gateways.filter(({ mac }) => mac === MAC.r1).length, 1, JSON.stringify(gateways));
  });

  it('loses one of them: nothing moves', async () => {
    await loseSecond(place, MAC.r1);
  });
});

describe('a pair that answers ARP with a MAC address of both (VARP), answered where it resolves', function () {
  this.timeout(patient(60_000));
  let place: Place;
  before(async () => {
    const outer = [
      'link add shared link lan0 type macvlan mode private',
      `link set shared address ${SHARED_MAC} up`,
      `address add ${ADDRESS.r1.v4}/32 dev shared`,
      `address add ${ADDRESS.r1.v6}/128 dev shared nodad`,
    ];
    const answer = `lan0 resolved ${ADDRESS.r1.v4} ${ADDRESS.r1.v6} from ${MAC.r1} ${SECOND_MAC}`;
    place = await makePlace({ port: 7862, secondMac: SECOND_MAC, outer }, '--gateways-answer', answer);
  });
  after(async () => await place?.[Symbol.asyncDispose]());

  it('has the answers of flows through either router', async () => {
    await place.lab.sidecar.statusWhere(
      ({ gateways }) => gateways.filter(({ answer, mac }) => answer === 'resolved' && mac === SHARED_MAC).length === 2,
      'both routers are answered where the address resolves',
    );
    assert.deepEqual(await answeredAt(place.lab, place.flows), [SHARED_MAC]);
  });

  it('loses one of them: nothing moves', async () => {
    await loseSecond(place, SHARED_MAC);
  });
});
