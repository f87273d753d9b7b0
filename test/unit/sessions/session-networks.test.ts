import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Notification } from 'openvpn-management-client';
import { networkKey } from '../../../rules/index.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';
import { ClientNetworks } from '../../../sidecar/sessions/client-networks.js';
import { type RefusedNetwork, SessionNetworks } from '../../../sidecar/sessions/session-networks.js';
import type { Surroundings } from '../../../sidecar/sessions/surroundings.js';
import { type Session, SessionTable } from '../../../sidecar/sessions/session-table.js';
import { network } from '../rules/sample-site.js';
import { addressOf, connect, disconnect, established } from './notifications.js';

class Server {
  readonly clients: ClientNetworks;
  readonly log = captureLog();
  readonly networks: SessionNetworks;
  readonly changed: string[] = [];
  readonly #sessions = new SessionTable();
  #seq = 0;

  constructor(clients = new ClientNetworks()) {
    this.clients = clients;
    this.networks = new SessionNetworks({
      clients,
      logger: this.log.logger,
      onChanged: (key) => this.changed.push(key),
    });
  }

  hear(...messages: readonly Notification[]): this {
    for (const message of messages) {
      this.#seq += 1;
      for (const change of this.#sessions.handle(message, { epoch: 1, seq: this.#seq }, new Date(0)))
        this.networks.apply(change);
    }
    return this;
  }

  session(cid: number): Session | undefined {
    return [...this.#sessions.list()].find((each) => each.cid === String(cid));
  }

  withhold(cid: number): this {
    const session = this.session(cid);
    if (session !== undefined) this.networks.withhold(session);
    return this;
  }

  refused(cid: number): readonly RefusedNetwork[] {
    const session = this.session(cid);
    return session === undefined ? [] : this.networks.refusedOf(session);
  }

  get keys(): string[] {
    return [...this.clients.list()].map((client) => `${networkKey(client)} ${client.device}`).toSorted();
  }
}

function around(onlink: string, isBridge = false): Surroundings {
  return {
    links: [{ device: 'lan0', onlink: [network(onlink)], isBridge }],
    remotes: [],
    tunnel: { connected: [network('10.8.0.0/24')], covered: [] },
  };
}

describe('SessionNetworks', () => {
  it('takes everything from a session that is withheld, on every device, and nothing from another', () => {
    const server = new Server().hear(addressOf(0, '10.8.0.2'), addressOf(0, '10.99.0.0/16', false));
    server.networks.setDevice('tun0');
    server.hear(addressOf(1, '10.8.0.3'));

    server.withhold(0).withhold(0).hear(addressOf(0, '10.8.0.4'));
    assert.deepEqual(server.keys, ['10.8.0.3 tun0']);
    server.networks.setDevice('tun1');
    assert.deepEqual(server.keys, ['10.8.0.3 tun1']);
    server.hear(disconnect(0), addressOf(2, '10.8.0.2'));

    assert.deepEqual(server.keys, ['10.8.0.2 tun1', '10.8.0.3 tun1']);
    const changes = server.log
      .of('client.address')
      .filter(({ fields }) => fields['cid'] === '0')
      .map(({ fields }) => `${String(fields['network'])} ${String(fields['change'])}`);
    assert.deepEqual(changes, ['10.8.0.2 added', '10.99.0.0/16 added', '10.8.0.2 removed', '10.99.0.0/16 removed']);
  });

  it('withholds a session before it has a device, or a network that it may have', () => {
    const server = new Server().hear(addressOf(0, '10.8.0.2'), addressOf(0, '192.0.2.0/24', false)).withhold(0);

    server.networks.setDevice('tun0', around('192.0.2.0/24'));

    assert.deepEqual(server.keys, []);
    assert.deepEqual(server.refused(0), []);
    assert.equal(server.log.of('client.refused_route').length, 0);
  });

  it('holds networks back until the tunnel device is known, and gives them up when it is gone', () => {
    const server = new Server().hear(addressOf(0, '10.8.0.2'), addressOf(0, '10.99.0.0/16', false));

    assert.deepEqual(server.keys, []);
    server.networks.setDevice('tun0');
    assert.deepEqual(server.keys, ['10.8.0.2 tun0', '10.99.0.0/16 tun0']);
    server.networks.setDevice(null);
    assert.deepEqual(server.keys, []);
    assert.deepEqual(server.changed, ['10.8.0.2', '10.99.0.0/16', '10.8.0.2', '10.99.0.0/16']);
  });

  it('moves networks to another device without taking them away in between', () => {
    const server = new Server().hear(addressOf(0, '10.8.0.2'));
    server.networks.setDevice('tun0');

    server.networks.setDevice('tun1');

    assert.deepEqual(server.keys, ['10.8.0.2 tun1']);
    server.hear(disconnect(0));
    assert.deepEqual(server.keys, []);
  });

  it('refuses a default route behind a client, and says so', () => {
    const server = new Server();
    server.networks.setDevice('tun0');

    server.hear(
      addressOf(0, '10.8.0.2'),
      addressOf(0, '0.0.0.0/0', false),
      addressOf(0, '::/0', false),
      disconnect(0),
    );

    assert.deepEqual(server.changed, ['10.8.0.2', '10.8.0.2']);
    assert.equal(server.log.of('client.refused_route').length, 2);
  });

  it('refuses what would take over other traffic, serves it once it does not, and gives it up once it does', () => {
    const server = new Server();
    server.networks.setDevice('tun0', around('192.0.2.0/24'));

    server.hear(addressOf(0, '10.8.0.2'), addressOf(0, '192.0.2.1', false), addressOf(0, '192.0.0.0/16', false));
    assert.deepEqual(server.keys, ['10.8.0.2 tun0', '192.0.0.0/16 tun0']);
    assert.deepEqual(server.refused(0), [{ network: '192.0.2.1', reason: 'it is on the link lan0' }]);

    server.networks.setDevice('tun0', around('203.0.113.0/24'));
    assert.deepEqual([server.keys, server.refused(0)], [['10.8.0.2 tun0', '192.0.0.0/16 tun0', '192.0.2.1 tun0'], []]);

    server.networks.setDevice('tun0', around('192.0.2.0/24', true));
    assert.deepEqual(server.keys, ['10.8.0.2 tun0']);
    assert.deepEqual(
      server.refused(0).map(({ reason }) => reason),
      ['it is on the link lan0', 'it contains the network of the bridge lan0'],
    );
    server.hear(disconnect(0));
    assert.deepEqual(server.keys, []);
    assert.equal(server.log.of('client.refused_route').length, 3);
  });

  it('takes an address on the link that the tunnel has as its own, or that main leads to the tunnel: the LAN is told by proxy ARP', () => {
    const links = [{ device: 'lan0', onlink: [network('192.0.2.0/24')], isBridge: true }];
    const server = new Server();
    server.networks.setDevice('tun0', {
      links,
      remotes: [],
      tunnel: { connected: [network('192.0.2.128/25')], covered: [network('192.0.2.64/27')] },
    });

    server.hear(addressOf(0, '192.0.2.130'), addressOf(0, '192.0.2.65', false), addressOf(0, '192.0.2.1', false));

    assert.deepEqual(server.keys, ['192.0.2.130 tun0', '192.0.2.65 tun0']);
  });

  it('keeps sessions of two servers with the same CID and address apart', () => {
    const clients = new ClientNetworks();
    const first = new Server(clients);
    const second = new Server(clients);
    for (const server of [first, second]) server.networks.setDevice('tun0');
    for (const server of [first, second]) server.hear(addressOf(0, '10.8.0.2'));

    first.hear(disconnect(0));

    assert.deepEqual(second.keys, ['10.8.0.2 tun0']);
  });

  it('has the union of live sessions, whichever way the messages of a takeover are mixed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: 2, maxLength: 4 }),
        fc.array(fc.nat(), { minLength: 20, maxLength: 20 }),
        fc.nat(20),
        (going, picks, tunnelAt) => {
          const server = new Server();
          const queues = going.map((goes, cid) => life(cid, goes));
          for (const [step, pick] of picks.entries()) {
            if (step === tunnelAt) server.networks.setDevice('tun0');
            const waiting = queues.filter((queue) => queue.length > 0);
            const message = waiting[pick % Math.max(1, waiting.length)]?.shift();
            if (message !== undefined) server.hear(message);
          }
          for (const queue of queues) server.hear(...queue);
          server.networks.setDevice('tun0');

          const live = going.flatMap((goes, cid) => (goes ? [] : [`10.${90 + cid}.0.0/16 tun0`]));
          assert.deepEqual(server.keys, [...(live.length > 0 ? ['10.8.0.2 tun0'] : []), ...live].toSorted());
        },
      ),
      { numRuns: 500 },
    );
  });
});

/** Per CID the order is OpenVPN's; between CIDs it is any. Every session wants the same address. */
function life(cid: number, goes: boolean): Notification[] {
  return [
    connect(cid, { common_name: 'same' }),
    addressOf(cid, '10.8.0.2'),
    addressOf(cid, `10.${90 + cid}.0.0/16`, false),
    established(cid, { common_name: 'same' }),
    ...(goes ? [disconnect(cid)] : []),
  ];
}
