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
async function loseSecond(lab: VpnLab, routers: RouterPair, flows: readonly Flow[], mac: string): Promise<void> {
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

describe('an anycast gateway: two routers with one MAC address and one address', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  let routers: RouterPair;
  let flows: readonly Flow[];
  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4' });
    routers = await RouterPair.create(lab.topology, 'r1', MAC.r1);
    for (const router of [routers.first, routers.second])
      await router.ip(
        `address add ${ADDRESS.r1.v4}/24 dev lan0`,
        `address add ${ADDRESS.r1.v6}/64 dev lan0 nodad`,
        `address add ${INNER.v4}/25 dev lan1`,
        `address add ${INNER.v6}/64 dev lan1 nodad`,
      );
    await lab.startSidecar();
    await lab.connect('client1');
    flows = await flowsThroughBoth(lab, routers, 7861);
  });
  after(async () => {
    for (const flow of flows ?? []) await flow[Symbol.asyncDispose]();
    await routers?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  it('is one gateway, which answers of flows through either router go to', async () => {
    assert.deepEqual(await answeredAt(lab, flows), [MAC.r1]);
    const gateways = await lab.sidecar.gateways();
    assert.equal(gateways.filter(({ mac }) => mac === MAC.r1).length, 1, JSON.stringify(gateways));
  });

  it('loses one of them: nothing moves', async () => {
    await loseSecond(lab, routers, flows, MAC.r1);
  });
});

describe('a pair that answers ARP with a MAC address of both (VARP), answered where it resolves', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  let routers: RouterPair;
  let flows: readonly Flow[];
  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4' });
    routers = await RouterPair.create(lab.topology, 'r1');
    for (const router of [routers.first, routers.second]) {
      await router.sysctl('net.ipv4.conf.all.arp_ignore=1');
      await router.ip(
        'link add shared link lan0 type macvlan mode private',
        `link set shared address ${SHARED_MAC} up`,
        `address add ${ADDRESS.r1.v4}/32 dev shared`,
        `address add ${ADDRESS.r1.v6}/128 dev shared nodad`,
        `address add ${INNER.v4}/25 dev lan1`,
        `address add ${INNER.v6}/64 dev lan1 nodad`,
      );
    }
    const members = `${MAC.r1} ${routers.side.secondMac}`;
    await lab.startSidecar('--gateways-answer', `lan0 resolved ${ADDRESS.r1.v4} ${ADDRESS.r1.v6} from ${members}`);
    await lab.connect('client1');
    flows = await flowsThroughBoth(lab, routers, 7862);
  });
  after(async () => {
    for (const flow of flows ?? []) await flow[Symbol.asyncDispose]();
    await routers?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  it('has the answers of flows through either router', async () => {
    await lab.sidecar.statusWhere(
      ({ gateways }) => gateways.filter(({ answer, mac }) => answer === 'resolved' && mac === SHARED_MAC).length === 2,
      'both routers are answered where the address resolves',
    );
    assert.deepEqual(await answeredAt(lab, flows), [SHARED_MAC]);
  });

  it('loses one of them: nothing moves', async () => {
    await loseSecond(lab, routers, flows, SHARED_MAC);
  });
});
