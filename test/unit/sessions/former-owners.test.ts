import assert from 'node:assert/strict';
import type { ClientNetwork } from '../../../rules/index.js';
import { networkKey } from '../../../rules/index.js';
import { ClientNetworks, type OwnerIdentity } from '../../../sidecar/sessions/client-networks.js';
import { FormerOwners } from '../../../sidecar/sessions/former-owners.js';
import { network } from '../rules/sample-site.js';

const client = (text: string): ClientNetwork => ({ ...network(text), device: 'tun0' });

class Rig {
  readonly givenUp: string[] = [];
  readonly handedOver: string[] = [];
  readonly former: FormerOwners;
  readonly networks: ClientNetworks;

  constructor(max = 10) {
    this.former = new FormerOwners({
      holdMs: 1000,
      max,
      onGivenUp: (networks) => this.givenUp.push(...networks.map(networkKey)),
      now: () => 0,
    });
    this.networks = new ClientNetworks({
      former: this.former,
      onHandedOver: (networks) => this.handedOver.push(...networks.map(networkKey)),
    });
  }

  add(owner: string, text: string, identity: OwnerIdentity): void {
    this.networks.add(owner, client(text), identity);
  }

  remove(owner: string, text: string): void {
    this.networks.remove(owner, networkKey(client(text)));
  }
}

const ALICE = { name: 'alice' };
const BOB = { name: 'bob' };

describe('FormerOwners', () => {
  it('return a network to its former owner, connections and all', () => {
    const rig = new Rig();
    rig.add('1', '10.8.0.2', ALICE);
    rig.remove('1', '10.8.0.2');
    assert.ok(rig.former.holds('10.8.0.2'));

    rig.add('2', '10.8.0.2', { name: 'alice' });

    assert.deepEqual([rig.handedOver, rig.givenUp, rig.former.size], [[], [], 0]);
  });

  it('let nobody else inherit it, nor one who is not known', () => {
    for (const identity of [BOB, null]) {
      const rig = new Rig();
      rig.add('1', '10.8.0.2', ALICE);
      rig.remove('1', '10.8.0.2');

      rig.add('2', '10.8.0.2', identity);

      assert.deepEqual(rig.handedOver, ['10.8.0.2']);
    }
  });

  it('hold nothing for one who would not be known again', () => {
    const rig = new Rig();
    rig.add('1', '10.8.0.2', null);
    rig.remove('1', '10.8.0.2');

    assert.equal(rig.former.size, 0);
  });

  it('give up what nobody came back for, all of the same second at once', async () => {
    const given = await new Promise<readonly string[]>((resolve) => {
      const former = new FormerOwners({
        holdMs: 1,
        max: 10,
        onGivenUp: (networks) => resolve(networks.map(networkKey)),
      });
      former.left(client('10.8.0.2'), 'alice');
      former.left(client('10.8.0.3'), 'bob');
    });

    assert.deepEqual(given, ['10.8.0.2', '10.8.0.3']);
  });

  it('give up the one that was left first where there are too many, and everything in the end', () => {
    const rig = new Rig(2);
    for (const [index, text] of ['10.8.0.2', '10.8.0.3', '10.8.0.4'].entries()) {
      rig.add(String(index), text, ALICE);
      rig.remove(String(index), text);
    }
    assert.deepEqual(rig.givenUp, ['10.8.0.2']);

    rig.former[Symbol.dispose]();

    assert.deepEqual(rig.givenUp, ['10.8.0.2', '10.8.0.3', '10.8.0.4']);
  });

  it('see a subnet that holds another, whichever came first', () => {
    const rig = new Rig();
    rig.add('1', '10.99.0.0/16', ALICE);
    rig.add('2', '10.98.3.0/24', ALICE);
    rig.remove('1', '10.99.0.0/16');
    rig.remove('2', '10.98.3.0/24');

    rig.add('3', '10.99.3.0/24', BOB);
    rig.add('4', '10.98.0.0/16', BOB);

    assert.deepEqual(rig.handedOver, ['10.99.0.0/16', '10.98.3.0/24']);
  });
});

describe('ClientNetworks, where an owner follows another without a gap', () => {
  it('tell that a network passed to another program, and back', () => {
    const rig = new Rig();
    rig.add('1', '10.8.0.2', ALICE);

    rig.add('2', '10.8.0.2', BOB);
    assert.deepEqual(rig.handedOver, ['10.8.0.2']);
    rig.remove('2', '10.8.0.2');

    assert.deepEqual(rig.handedOver, ['10.8.0.2', '10.8.0.2']);
  });

  it('say nothing where it is the same one, or the one that an earlier run knew', () => {
    const rig = new Rig();
    rig.add('adopted', '10.8.0.2', 'adopted');
    rig.add('1', '10.8.0.2', ALICE);
    rig.remove('adopted', '10.8.0.2');
    rig.add('2', '10.8.0.2', ALICE);
    rig.remove('1', '10.8.0.2');
    rig.add('2', '10.8.0.2', ALICE);

    assert.deepEqual(rig.handedOver, []);
  });
});
