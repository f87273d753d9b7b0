/** What the kernel's neighbour table says, and who is told. */
import assert from 'node:assert/strict';
import { parseConfiguredSource } from '../../../sidecar/config/places.js';
import type { NeighbourState } from '../../../sidecar/datapath/datapath.js';
import { NeighbourFeed } from '../../../sidecar/datapath/neighbour-feed.js';
import { SourceLists } from '../../../sidecar/datapath/source-lists.js';
import { LAN, POLICY } from '../../unit/rules/sample-site.js';
import { exec } from '../../lab/process.js';
import { ip, makeLan, resetKernel } from '../firewall/kernel.js';

const A = '02:00:00:00:00:0a';
const B = '02:00:00:00:00:0b';

async function bridgeCommand(...words: readonly string[]): Promise<void> {
  await exec(['bridge', ...words]);
}

/** A feed with a list, and what it said to whom, in order. */
class Rig {
  readonly told: string[] = [];
  readonly sources: SourceLists;
  /** An address that is announced. */
  client: string | null = null;
  readonly feed: NeighbourFeed;

  constructor(excluded: string | null, hasListener = true) {
    const source = excluded === null ? undefined : parseConfiguredSource(excluded);
    this.sources = new SourceLists(source === undefined ? [] : [source], []);
    this.feed = new NeighbourFeed({
      protocol: POLICY.routing.protocol,
      sources: this.sources,
      listener: hasListener
        ? {
            setLinks: (links) => this.told.push(`links ${links.map(({ device }) => device).join(' ')}`),
            heard: (neighbours) => this.told.push(...neighbours.map((neighbour) => this.#words(neighbour))),
            bridged: (senders) => this.told.push(...senders.map(({ device, mac }) => `bridged ${device} ${mac}`)),
          }
        : null,
      asked: null,
      announcer: { heard: ({ address }) => address === this.client },
      onListsChanged: () => this.told.push('lists changed'),
    });
  }

  #words({ address, mac }: NeighbourState): string {
    return `${address} ${mac}${mac !== null && !this.sources.isLearntFrom('lan0', mac) ? ' listed' : ''}`;
  }
}

describe('NeighbourFeed', () => {
  before(async () => {
    await resetKernel();
    await makeLan('lan0', '192.0.2.5/24');
    await makeLan('lan1', '203.0.113.5/24');
    await ip(
      `neigh add 192.0.2.1 dev lan0 lladdr ${A} nud stale`,
      `neigh add 192.0.2.2 dev lan0 lladdr ${B} nud permanent proto ${POLICY.routing.protocol}`,
      `neigh add 203.0.113.1 dev lan1 lladdr ${B} nud stale`,
    );
  });
  after(() => resetKernel());

  it('tells of neighbours on links alone, and of none that stand for gateways, when a link is new', async () => {
    const { feed, told } = new Rig(null);
    await feed.setLinks([LAN]);
    await feed.setLinks([LAN]);

    assert.deepEqual(
      told.filter((line) => !line.startsWith('fe80')),
      ['links lan0', `192.0.2.1 ${A}`, 'links lan0'],
    );
  });

  it('tells the lists first, so that who is on one does not become a gateway', async () => {
    const { feed, told, sources } = new Rig('192.0.2.1');
    await feed.setLinks([LAN]);

    assert.equal(sources.isLearntFrom('lan0', A), false);
    assert.deepEqual(
      told.filter((line) => !line.startsWith('fe80')),
      ['links lan0', `192.0.2.1 ${A} listed`, 'lists changed'],
    );
  });

  it('takes events as it takes listings', async () => {
    const { feed, told, sources } = new Rig('192.0.2.7');
    await feed.setLinks([LAN]);
    told.length = 0;
    for (const [device, isOurs] of [
      ['lan0', true],
      ['lan1', false],
      ['lan0', false],
    ] as const)
      feed.take({ kind: 'neighbour', device, address: '192.0.2.7', mac: B, isDeleted: false, isOurs });

    assert.deepEqual(told, [`192.0.2.7 ${B} listed`, 'lists changed']);
    assert.deepEqual(sources.status(), [{ list: 'exclude', entry: '192.0.2.7', macs: [B] }]);
  });

  it('tells of no host with the address of an announced client', async () => {
    const rig = new Rig(null);
    rig.client = '192.0.2.7';
    await rig.feed.setLinks([LAN]);
    rig.told.length = 0;

    for (const address of ['192.0.2.7', '192.0.2.8'])
      rig.feed.take({ kind: 'neighbour', device: 'lan0', address, mac: B, isDeleted: false, isOurs: false });

    assert.deepEqual(rig.told, [`192.0.2.8 ${B}`]);
  });

  it('tells of what a bridge learnt at its ports, from its table and from events, of some senders and once', async () => {
    await ip(
      'link add br0 type bridge',
      'link add p1 master br0 type veth peer name q1',
      'link set br0 up',
      'link set p1 up',
    );
    await bridgeCommand('fdb', 'add', A, 'dev', 'p1', 'master', 'static');
    const { feed, told } = new Rig(null);
    const cable = { mac: B, ports: [{ device: 'p1', mac: B }], vlan: null };
    await feed.setLinks([{ ...LAN, device: 'br0', isBridge: true, cable }]);
    for (const port of ['p1', 'p1', 'p2']) feed.takeBridged({ kind: 'bridged', port, mac: B });
    for (let last = 10; last < 40; last += 1)
      feed.takeBridged({ kind: 'bridged', port: 'p1', mac: `02:00:00:00:01:${last}` });

    const bridged = told.filter((line) => line.startsWith('bridged'));
    assert.deepEqual(bridged.slice(0, 2), [`bridged br0 ${A}`, `bridged br0 ${B}`]);
    assert.equal(bridged.length, 16);
  });

  it('follows the lists also where the kernel keeps the gateways', async () => {
    const { feed, told, sources } = new Rig('192.0.2.1', false);
    await feed.setLinks([LAN]);

    assert.deepEqual(told, ['lists changed']);
    assert.equal(sources.isLearntFrom('lan0', A), false);
  });
});
