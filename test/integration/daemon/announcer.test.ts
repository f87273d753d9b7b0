/** Proxy neighbours in the real kernel, of clients that a test makes up. */
import assert from 'node:assert/strict';
import { Announcer } from '../../../sidecar/kernel/announcer.js';
import { type CapturedLog, captureLog } from '../../../sidecar/log/testing/captured-log.js';
import { readProxyNeighbours } from '../../../sidecar/routing/proxy-neighbours.js';
import { ClientNetworks } from '../../../sidecar/sessions/client-networks.js';
import { eventually } from '../../lab/wait.js';
import { LAN, POLICY } from '../../unit/rules/sample-site.js';
import { ip, makeLan, resetKernel } from '../firewall/kernel.js';

const { protocol } = POLICY.routing;
const A = '192.0.2.131';
const B = '192.0.2.132';

/** An announcer for clients on the link lan0; those on `out0` are what an OpenVPN client's tunnel leads to. */
class Rig implements Disposable {
  readonly clients = new ClientNetworks();
  readonly log: CapturedLog = captureLog();
  isEnabled = true;
  links = [LAN];
  devicesChanged = 0;
  readonly announcer = new Announcer({
    clients: this.clients,
    protocol,
    isEnabled: () => this.isEnabled,
    links: () => this.links,
    servesClients: (device) => device !== 'out0',
    onDevices: () => {
      this.devicesChanged += 1;
    },
    logger: this.log.logger,
  });

  connect(address: string, device = 'tun0'): void {
    const key = this.clients.add(address, { family: 4, address, prefixLength: 32, device });
    if (key !== null) this.announcer.clientChanged(key);
  }

  disconnect(address: string): void {
    const key = this.clients.remove(address, address);
    if (key !== null) this.announcer.clientChanged(key);
  }

  [Symbol.dispose](): void {
    this.announcer.stop();
  }
}

/** Addresses of proxy neighbours: ours, and in parentheses those of other programs. */
async function proxies(): Promise<readonly string[]> {
  const listed = await readProxyNeighbours(protocol);
  return listed.map(({ address, isOurs }) => (isOurs ? address : `(${address})`)).toSorted();
}

/** Waits until the kernel has these, and the announcer knows that it has its own. */
async function become({ announcer }: Rig, ...expected: readonly string[]): Promise<void> {
  const ours = expected.filter((address) => !address.startsWith('(')).length;
  await eventually(
    async () => JSON.stringify(await proxies()) === JSON.stringify(expected) && announcer.status().announced === ours,
    { what: `proxy neighbours ${expected.join(' ')}` },
  );
}

describe('Announcer', () => {
  beforeEach(async () => {
    await resetKernel();
    await makeLan('lan0', '192.0.2.5/24');
  });
  after(resetKernel);

  it('announces clients of a server, and not what the tunnel of an OpenVPN client leads to', async () => {
    using rig = new Rig();
    rig.connect(B, 'out0');
    rig.connect(A);

    await become(rig, A);
    assert.equal(rig.announcer.status().pending, 0);
    assert.deepEqual(rig.announcer.devices, { 4: ['lan0'], 6: [] });
    assert.equal(rig.devicesChanged, 1);
  });

  it('removes what is disabled, or no client has any more, also when an earlier run had announced it', async () => {
    await ip(
      `neigh add proxy ${A} dev lan0 protocol ${protocol}`,
      `neigh add proxy ${B} dev lan0 protocol ${protocol}`,
    );
    using rig = new Rig();
    await rig.announcer.adopt();
    rig.connect(A);
    await become(rig, A);
    assert.equal(rig.log.of('announce.changed').filter(({ fields }) => fields['change'] === 'added').length, 0);

    rig.isEnabled = false;
    rig.announcer.siteChanged();
    await become(rig);
    assert.deepEqual(rig.announcer.devices, { 4: [], 6: [] });
  });

  it('restores what another program removes, and removes what it adds with our number', async () => {
    using rig = new Rig();
    rig.connect(A);
    await become(rig, A);
    await ip(`neigh del proxy ${A} dev lan0`, `neigh add proxy ${B} dev lan0 protocol ${protocol}`);

    rig.announcer.look();

    await become(rig, A);
    assert.equal(rig.log.of('announce.renewed').length, 1);
  });

  it('leaves an entry of another program as it is, when its client comes and when it goes', async () => {
    await ip(`neigh add proxy ${A} dev lan0`);
    using rig = new Rig();
    rig.connect(A);
    rig.connect(B);
    await become(rig, `(${A})`, B);

    rig.disconnect(A);
    rig.disconnect(B);

    await become(rig, `(${A})`);
  });

  it('keeps an address that passes from one client to another at once', async () => {
    using rig = new Rig();
    rig.connect(A);
    await become(rig, A);
    const added = rig.log.of('announce.changed').length;

    rig.disconnect(A);
    rig.connect(A);
    rig.connect(B);

    await become(rig, A, B);
    assert.deepEqual(
      rig.log
        .of('announce.changed')
        .slice(added)
        .map(({ fields }) => fields),
      [{ change: 'added', addresses: 1 }],
    );
  });

  it('drops a link that is gone with all that was announced there, without an error', async () => {
    using rig = new Rig();
    rig.connect(A);
    await become(rig, A);
    await ip('link del lan0');
    rig.links = [];
    rig.announcer.siteChanged();

    await eventually(() => rig.announcer.status().announced === 0, { what: 'nothing is announced' });
    assert.equal(rig.announcer.problem, null);
    assert.equal(rig.log.of('announce.failed').length, 0);
  });
});
