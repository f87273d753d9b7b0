/** Pairs of routers (keepalived) with MAC addresses of the group, and pairs that lost sight of each other. */
import assert from 'node:assert/strict';

import type { GatewayStatus } from '../../sidecar/status.js';
import { Answers } from '../lab/answers.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { Flow, reach } from '../lab/traffic.js';
import { patient } from '../lab/wait.js';
import { FAMILIES, VpnLab } from '../lab/vpn-lab.js';
import { VrrpPair } from '../lab/vrrp.js';

/** So long is watched what a split pair does, in records of a flow at 10 ms each. */
const RECORDS = 500;

describe('a VRRP pair of routers (keepalived) with virtual MACs, answered at the group', function () {
  this.timeout(patient(60_000));
  let lab: VpnLab;
  let pair: VrrpPair;
  before(async () => {
    lab = await VpnLab.create({ transport: 'udp4' });
    pair = await VrrpPair.create(lab.topology, 'r1', lab.directory, { hasVirtualMac: true });
    const members = `from ${MAC.r1} ${pair.backupMac}`;
    await lab.startSidecar('--gateways-answer', `lan0 virtual ${ADDRESS.r1.v4} ${ADDRESS.r1.v6} ${members}`);
    await lab.connect('client1');
  });
  after(async () => {
    await pair?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  it('keeps flows of both families alive when the master dies, also one that has answers alone; nothing moves', async () => {
    const flows = await Promise.all(
      FAMILIES.map((family, index) =>
        Flow.start('tcp', lab.party('hostA', family), lab.party('client1', family), { port: 7841 + index }),
      ),
    );
    await using answers = await Answers.start(lab.party('hostA', 'v4'), lab.party('client1', 'v4'), 7843);
    const group: readonly string[] = Object.values(pair.groupMac);
    // Where both families are known, IPv4's; the groups move together.
    const isAnsweredThere = ({ answer, mac }: GatewayStatus): boolean =>
      answer === 'virtual' && mac === pair.groupMac.v4;
    const { gateways: before } = await lab.sidecar.statusWhere(
      ({ gateways }) => gateways.some(isAnsweredThere),
      'answers go to the group',
    );
    await Promise.all([...flows.map((flow) => flow.advance(20)), answers.arrive(20)]);
    await using capture = await lab.capture(`dst host ${ADDRESS.hostA.v4} or dst host ${ADDRESS.hostA.v6}`);

    await pair.failOver();

    await Promise.all([...flows.map((flow) => flow.advance(50, 20_000)), answers.arrive(50, 20_000)]);
    const [v4, v6] = await Promise.all(flows.map((flow) => flow.stop()));
    console.log(`      longest gap: IPv4 ${v4?.maxGapMs} ms, IPv6 ${v6?.maxGapMs} ms`);
    assert.deepEqual([v4?.lost, v6?.lost], [0, 0]);
    const macs = (await capture.frames())
      .filter(({ sourceMac }) => sourceMac === MAC.endpoint)
      .map(({ destinationMac }) => destinationMac);
    assert.deepEqual(
      [...new Set(macs)].filter((mac) => !group.includes(mac)),
      [],
    );
    const after = await lab.sidecar.gateways();
    for (const { id, moves } of before.filter(isAnsweredThere))
      assert.equal(after.find((gateway) => gateway.id === id)?.moves, moves);
  });
});

describe('a VRRP pair of routers (keepalived) of which both are master, and claim the address every second', function () {
  this.timeout(patient(60_000));

  it('sends each flow to the router that it comes from, while both are in use', async () => {
    await using lab = await VpnLab.create({ transport: 'udp4' });
    await using pair = await VrrpPair.create(lab.topology, 'r1', lab.directory, { repeatsClaims: true });
    await lab.startSidecar();
    await lab.connect('client1');
    // Of the host, IPv6 stays with the first router, and IPv4 with the second.
    await reach(lab.topology.hostA, '198.51.100.1');
    const listing = await lab.topology.hostA.run(['ip', '-o', 'neigh', 'show', '198.51.100.1', 'dev', 'lan']);
    const first = /lladdr (\S+)/.exec(listing)?.[1] ?? assert.fail(`no MAC address in ${listing}`);
    await lab.topology.hostA.ip(`neigh replace 2001:db8:a::1 lladdr ${first} dev lan nud permanent`);
    await using byFirst = await Flow.start('udp', lab.party('hostA', 'v6'), lab.party('client1', 'v6'), {
      port: 7844,
    });
    await pair.split();
    await lab.topology.hostA.ip(
      `neigh replace 198.51.100.1 lladdr ${await innerMacOf(lab, first)} dev lan nud permanent`,
    );
    await using bySecond = await Flow.start('udp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'), {
      port: 7845,
    });
    await Promise.all([byFirst.advance(100), bySecond.advance(100)]);
    await using capture = await lab.capture('udp port 7844 or udp port 7845 or arp');

    await Promise.all([byFirst.advance(RECORDS), bySecond.advance(RECORDS)]);

    const seen = await capture.frames();
    const claims = [MAC.r1, pair.backupMac].map(
      (mac) => seen.filter(({ arp }) => arp?.senderMac === mac && arp.sender === ADDRESS.r1.v4).length,
    );
    const frames = seen.filter(({ sourceMac }) => sourceMac === MAC.endpoint);
    const count = (address: string, mac: string): number =>
      frames.filter(({ ip, destinationMac }) => ip?.destination === address && destinationMac === mac).length;
    const [right1, wrong1] = [count(ADDRESS.hostA.v6, MAC.r1), count(ADDRESS.hostA.v6, pair.backupMac)];
    const [right2, wrong2] = [count(ADDRESS.hostA.v4, pair.backupMac), count(ADDRESS.hostA.v4, MAC.r1)];
    const moves = (await lab.sidecar.gateways()).map((gateway) => gateway.moves).join(', ');
    console.log(
      `      answers to the right router and to the other: ${right1} and ${wrong1}, ${right2} and ${wrong2}; claims ${claims.join(' and ')}, moves ${moves}`,
    );
    assert.ok(claims.every((many) => many > 0));
    assert.ok(right1 > 0 && right2 > 0);
    assert.deepEqual([wrong1, wrong2], [0, 0]);
  });
});

/** The MAC address of the other router on the side of hostA: that at which the first one has none of its frames. */
async function innerMacOf(lab: VpnLab, first: string): Promise<string> {
  const listing = await lab.topology.hostA.run(['bridge', '-o', 'fdb', 'show', 'br', 'lan', 'dynamic']);
  const macs = [...listing.matchAll(/^(\S+) dev/gm)].map(([, mac = '']) => mac).filter((mac) => mac !== first);
  return macs[0] ?? assert.fail(`no second router in ${listing}`);
}
