import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { ClientNetwork } from '../../../rules/index.js';
import { networkKey } from '../../../rules/index.js';
import { ClientNetworks } from '../../../sidecar/sessions/client-networks.js';
import { network } from '../rules/sample-site.js';

describe('ClientNetworks', () => {
  it('tells of the first owner of a network and of the last', () => {
    const networks = new ClientNetworks();

    assert.equal(networks.add('a', client('10.8.0.2')), '10.8.0.2');
    assert.equal(networks.add('b', client('10.8.0.2')), null);
    assert.equal(networks.remove('a', '10.8.0.2'), null);
    assert.equal(networks.remove('b', '10.8.0.2'), '10.8.0.2');
    assert.equal(networks.size, 0);
  });

  it('counts an owner once, however often it says so', () => {
    const networks = new ClientNetworks();
    networks.add('a', client('10.8.0.2'));
    networks.add('a', client('10.8.0.2'));

    assert.notEqual(networks.remove('a', '10.8.0.2'), null);
    assert.equal(networks.get('10.8.0.2'), null);
  });

  it('takes nothing from an owner that is none', () => {
    const networks = new ClientNetworks();
    networks.add('a', client('10.8.0.2'));

    assert.equal(networks.remove('b', '10.8.0.2'), null);
    assert.equal(networks.remove('a', '10.8.0.3'), null);
    assert.equal(networks.size, 1);
  });

  it('keeps a network for the return of its last owner, unless that is not awaited', () => {
    const left: string[] = [];
    const networks = new ClientNetworks({
      former: { left: (lost, identity) => left.push(`${networkKey(lost)} ${identity}`), taken: () => [] },
    });
    networks.add('a', client('10.8.0.2'), { name: 'alice' });
    networks.add('b', client('10.8.0.3'), { name: 'bob' });

    assert.equal(networks.remove('a', '10.8.0.2', { isAwaited: false }), '10.8.0.2');
    networks.remove('b', '10.8.0.3');

    assert.deepEqual(left, ['10.8.0.3 bob']);
  });

  it('tells of a network that leads to another device', () => {
    const networks = new ClientNetworks();
    networks.add('a', client('10.8.0.2'));

    assert.equal(networks.add('a', { ...client('10.8.0.2'), device: 'tun1' }), '10.8.0.2');
    assert.equal(networks.get('10.8.0.2')?.device, 'tun1');
  });

  it('leads back to the device of the owner that stays', () => {
    const networks = new ClientNetworks();
    networks.add('first server', client('10.99.0.0/16'));
    networks.add('second server', { ...client('10.99.0.0/16'), device: 'tun1' });

    networks.remove('second server', '10.99.0.0/16');

    assert.equal(networks.get('10.99.0.0/16')?.device, 'tun0');
  });

  it('has exactly what live owners have, in whatever order their messages are mixed', () => {
    const addresses = ['10.8.0.2', '10.8.0.3', '10.99.0.0/16'];
    // Each session's own messages: it comes with some addresses, and perhaps goes.
    const session = fc.record({ holds: fc.subarray(addresses, { minLength: 1 }), goes: fc.boolean() });
    fc.assert(
      fc.property(
        fc.array(session, { minLength: 1, maxLength: 5 }),
        fc.array(fc.nat(), { minLength: 40, maxLength: 40 }),
        (sessions, picks) => {
          const networks = new ClientNetworks();
          const kept = new Set<string>();
          const queues = sessions.map(({ holds, goes }, index) => [
            ...holds.map((text) => () => follow(kept, networks, networks.add(`session ${index}`, client(text)))),
            ...(goes
              ? holds.map((text) => () => follow(kept, networks, networks.remove(`session ${index}`, text)))
              : []),
          ]);
          for (const pick of picks) {
            const waiting = queues.filter((queue) => queue.length > 0);
            waiting[pick % Math.max(1, waiting.length)]?.shift()?.();
          }
          for (const queue of queues) for (const step of queue) step();

          const live = new Set(sessions.flatMap(({ holds, goes }) => (goes ? [] : holds)));
          assert.deepEqual([...networks.list()].map(networkKey).toSorted(), [...live].toSorted());
          assert.deepEqual([...kept].toSorted(), [...live].toSorted(), 'whoever follows the changes has the same');
        },
      ),
      { numRuns: 500 },
    );
  });
});

function client(text: string): ClientNetwork {
  return { ...network(text), device: 'tun0' };
}

/** As the reconciler does: the key says what to look at. */
function follow(kept: Set<string>, networks: ClientNetworks, key: string | null): void {
  if (key === null) return;
  if (networks.get(key) === null) kept.delete(key);
  else kept.add(key);
}
