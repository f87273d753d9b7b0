import assert from 'node:assert/strict';
import { networkKey } from '../../../rules/index.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';
import { ClientNetworks } from '../../../sidecar/sessions/client-networks.js';
import { TunnelNetworks } from '../../../sidecar/sessions/tunnel-networks.js';
import { LAN, network } from '../rules/sample-site.js';

/** Networks of one tunnel, with what they changed. */
class Rig {
  readonly clients = new ClientNetworks();
  readonly log = captureLog();
  readonly changed: string[] = [];
  readonly networks = new TunnelNetworks({
    server: 'unix:/run/a',
    clients: this.clients,
    logger: this.log.logger,
    onChanged: (key) => this.changed.push(key),
  });

  set(device: string | null, texts: readonly string[], isBridge = false): this {
    this.changed.length = 0;
    this.networks.set(device, texts.map(network), {
      links: [{ ...LAN, isBridge }],
      remotes: ['203.0.113.9'],
      tunnel: null,
    });
    return this;
  }

  /** Who is in force: network and device. */
  get inForce(): readonly string[] {
    return [...this.clients.list()].map((each) => `${networkKey(each)} ${each.device}`).toSorted();
  }
}

describe('TunnelNetworks', () => {
  it('tells of what came and went, and of nothing else', () => {
    const rig = new Rig().set('tun0', ['10.1.0.0/16', '10.2.0.0/16']);
    assert.deepEqual(rig.changed, ['10.1.0.0/16', '10.2.0.0/16']);

    rig.set('tun0', ['10.2.0.0/16', '10.3.0.9']);

    assert.deepEqual(rig.changed, ['10.3.0.9', '10.1.0.0/16']);
    assert.deepEqual(rig.inForce, ['10.2.0.0/16 tun0', '10.3.0.9 tun0']);
    assert.deepEqual(rig.networks.list(), ['10.2.0.0/16', '10.3.0.9']);
    assert.deepEqual(rig.set('tun0', ['10.2.0.0/16', '10.3.0.9']).changed, []);
  });

  it('moves with the tunnel to another device, and goes with it', () => {
    const rig = new Rig().set('tun0', ['10.1.0.0/16']).set('tun1', ['10.1.0.0/16']);
    assert.deepEqual(rig.inForce, ['10.1.0.0/16 tun1']);

    assert.deepEqual(rig.set(null, ['10.1.0.0/16']).inForce, []);
  });

  it('leaves alone what another OpenVPN has too', () => {
    const rig = new Rig();
    rig.clients.add('unix:/run/b 1 0', { ...network('10.1.0.0/16'), device: 'tun9' });

    rig.set('tun0', ['10.1.0.0/16']).set(null, []);

    assert.deepEqual(rig.inForce, ['10.1.0.0/16 tun9']);
  });

  for (const [text, reason] of [
    ['0.0.0.0/0', /default route/],
    ['::/0', /default route/],
    ['0.0.0.0/1', /to which no tunnel leads/],
    ['127.5.0.0/16', /to which no tunnel leads/],
    ['fe80::/64', /to which no tunnel leads/],
    ['192.0.2.64/26', /link lan0/],
    ['2001:db8:1::/64', /link lan0/],
    ['203.0.0.0/8', /203\.0\.113\.9, to which OpenVPN itself sends/],
  ] as const) {
    it(`refuses ${text}, and says so once`, () => {
      const rig = new Rig().set('tun0', [text, text]).set('tun0', [text]);

      assert.deepEqual(rig.inForce, []);
      const refusals = rig.log.of('network.refused');
      assert.equal(refusals.length, 1);
      assert.match(String(refusals[0]?.fields?.['reason']), reason);
    });
  }

  it('takes a network around the link of a device, and refuses it around that of a bridge', () => {
    assert.deepEqual(new Rig().set('tun0', ['192.0.0.0/16']).inForce, ['192.0.0.0/16 tun0']);
    assert.deepEqual(new Rig().set('tun0', ['192.0.0.0/16'], true).inForce, []);
  });
});
