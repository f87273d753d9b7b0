import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { GatewayTable } from '../../../sidecar/datapath/nexthop/gateway-table.js';
import { A, B, inWords, macOf, neighbour } from './gateway-words.js';

describe('GatewayTable', () => {
  it('finds a gateway by its neighbour entry, and once', () => {
    const table = new GatewayTable(200);

    assert.deepEqual(neighbour(table, '192.0.2.1', A), [`found 1 ${A}`]);
    assert.deepEqual(neighbour(table, '192.0.2.1', A), []);
    assert.deepEqual(neighbour(table, 'fe80::1', A), []);
    assert.deepEqual(table.addressesOf(1), ['192.0.2.1', 'fe80::1']);
    assert.deepEqual(table.list(), [{ id: 1, device: 'lan0', mac: A, sources: [A] }]);
  });

  it('finds a gateway by a frame, which makes it active', () => {
    const table = new GatewayTable(200);

    assert.deepEqual(inWords(table.frame('lan0', A)), [`found 1 ${A}`]);
    assert.equal(table.isActive(1), true);
    neighbour(table, '192.0.2.2', B);
    assert.equal(table.isActive(2), false);
    table.used(2);
    assert.equal(table.isActive(2), true);
  });

  it('tells the same MAC on two devices apart', () => {
    const table = new GatewayTable(200);
    neighbour(table, '192.0.2.1', A);

    assert.deepEqual(neighbour(table, '203.0.113.1', A, 'lan1'), [`found 2 ${A}`]);
    assert.equal(table.bySource('lan1', A)?.id, 2);
  });

  it('takes no group address, zero address or nonsense for a gateway', () => {
    const table = new GatewayTable(200);
    for (const mac of [
      '33:33:00:00:00:01',
      '01:00:5e:00:00:01',
      'ff:ff:ff:ff:ff:ff',
      '00:00:00:00:00:00',
      '',
      '02:00:00:00:00',
      '02:00:00:00:00:0a:0b',
    ]) {
      assert.deepEqual(neighbour(table, '192.0.2.1', mac), []);
      assert.deepEqual(table.frame('lan0', mac), []);
    }
    assert.deepEqual(table.list(), []);
  });

  it('follows an address to another MAC: flows that went to the old one go to the new one', () => {
    const table = new GatewayTable(200);
    neighbour(table, '192.0.2.1', A);

    assert.deepEqual(neighbour(table, '192.0.2.1', B), [`moved 1 ${B}`, `found 2 ${B}`]);
    assert.deepEqual(table.list(), [
      { id: 1, device: 'lan0', mac: B, sources: [A] },
      { id: 2, device: 'lan0', mac: B, sources: [B] },
    ]);
    assert.equal(table.hasMoved(1), true);
    assert.equal(table.bySource('lan0', A)?.id, 1);
  });

  it('sees a move also when the entry was unresolved or gone in between', () => {
    const table = new GatewayTable(200);
    neighbour(table, '192.0.2.1', A);
    assert.deepEqual(neighbour(table, '192.0.2.1', null), []);

    assert.deepEqual(neighbour(table, '192.0.2.1', B), [`moved 1 ${B}`, `found 2 ${B}`]);
  });

  describe('when one of several addresses of a router is claimed by another MAC', () => {
    let table: GatewayTable;
    beforeEach(() => {
      table = new GatewayTable(200);
      neighbour(table, '192.0.2.2', A);
      neighbour(table, '2001:db8::2', A);
      neighbour(table, '192.0.2.1', A);
    });

    it('moves nothing, and says what to ask the router for', () => {
      assert.deepEqual(neighbour(table, '192.0.2.1', B), [
        `doubted ${A} for ${B}: 192.0.2.2 2001:db8::2`,
        `found 2 ${B}`,
      ]);
      assert.equal(table.get(1)?.mac, A);
    });

    it('leaves everything with a router that lives', () => {
      neighbour(table, '192.0.2.1', B);

      assert.deepEqual(table.alive('lan0', A, 'answer'), []);
      assert.equal(table.doubtOf('lan0', A), null);
      assert.deepEqual(table.silent('lan0', A), [], 'the doubt is settled');
      assert.equal(table.get(1)?.mac, A);
    });

    it('moves its flows when it gives no sign of life, and back when it does later', () => {
      neighbour(table, '192.0.2.1', B);

      assert.deepEqual(inWords(table.silent('lan0', A)), [`moved 1 ${B}`]);
      assert.deepEqual(inWords(table.alive('lan0', A, 'frame')), [`moved 1 ${A}`]);
      assert.equal(table.hasMoved(1), false);
    });

    it('moves its flows with the last of its addresses', () => {
      neighbour(table, '192.0.2.1', B);
      assert.deepEqual(neighbour(table, '2001:db8::2', B), [`doubted ${A} for ${B}: 192.0.2.2`]);

      assert.deepEqual(neighbour(table, '192.0.2.2', B), [`moved 1 ${B}`]);
      assert.equal(table.doubtOf('lan0', A), null);
    });

    it('hands its flows over when it lives and the other does its work', () => {
      neighbour(table, '192.0.2.1', B);
      const doubt = table.doubtOf('lan0', A);
      table.alive('lan0', A, 'answer');
      assert.ok(doubt);

      assert.deepEqual(inWords(table.handOver(doubt)), [`moved 1 ${B}`]);
    });
  });

  it('learns a frame of a moved gateway’s old MAC as that gateway, and gives it back all that had gone', () => {
    const table = new GatewayTable(200);
    neighbour(table, '192.0.2.1', A);
    neighbour(table, '192.0.2.1', B);

    assert.deepEqual(table.watched(), [{ id: 1, device: 'lan0', mac: A }]);
    assert.deepEqual(inWords(table.frame('lan0', A)), []);
    assert.deepEqual(inWords(table.alive('lan0', A, 'frame')), [`moved 1 ${A}`]);
    assert.deepEqual(table.watched(), []);
  });

  it('gives a router back what it had, when it claims the address again', () => {
    const table = new GatewayTable(200);
    neighbour(table, '192.0.2.1', A);
    neighbour(table, '192.0.2.2', B);
    neighbour(table, '192.0.2.1', B);

    assert.deepEqual(neighbour(table, '192.0.2.1', A), [`moved 1 ${A}`, `doubted ${B} for ${A}: 192.0.2.2`]);
  });

  it('gives back to a router that lives also what had come to it from another', () => {
    const table = new GatewayTable(200);
    const third = macOf(12);
    neighbour(table, '192.0.2.1', A);
    neighbour(table, '192.0.2.1', B);
    neighbour(table, '192.0.2.1', third);
    assert.deepEqual(
      [1, 2].map((id) => table.get(id)?.mac),
      [third, third],
    );

    assert.deepEqual(inWords(table.alive('lan0', B, 'frame')), [`moved 1 ${B}`, `moved 2 ${B}`]);
  });

  describe('order', () => {
    it('sends answers where a command says, whatever is claimed or heard, until another command', () => {
      const table = new GatewayTable(200);
      neighbour(table, '192.0.2.1', A);

      assert.deepEqual(inWords(table.order('lan0', A, B) ?? []), [`moved 1 ${B}`]);
      assert.deepEqual(table.list(), [{ id: 1, device: 'lan0', mac: B, sources: [A], isOrdered: true }]);
      assert.deepEqual(neighbour(table, '192.0.2.1', macOf(12)), [`found 2 ${macOf(12)}`]);
      assert.deepEqual(inWords(table.alive('lan0', A, 'frame')), []);
      assert.deepEqual(table.watched(), []);
      assert.deepEqual(inWords(table.order('lan0', A, A) ?? []), [`moved 1 ${A}`]);
      assert.equal(table.isOrdered(1), false);
    });

    it('knows nothing of a MAC that is no gateway there', () => {
      const table = new GatewayTable(200);
      neighbour(table, '192.0.2.1', A);

      assert.equal(table.order('lan1', A, B), null);
      assert.equal(table.order('lan0', B, A), null);
    });
  });

  it('does not move gateways of another device', () => {
    const table = new GatewayTable(200);
    neighbour(table, '192.0.2.1', A);
    neighbour(table, '192.0.2.1', A, 'lan1');

    assert.deepEqual(neighbour(table, '192.0.2.1', B, 'lan1'), [`moved 2 ${B}`, `found 3 ${B}`]);
    assert.equal(table.get(1)?.mac, A);
  });

  it('never has two gateways that learn the same frames, whatever happens', () => {
    const step = fc.record({
      address: fc.constantFrom('192.0.2.1', '192.0.2.2', '192.0.2.3'),
      mac: fc.constantFrom(A, B, macOf(12), macOf(13), null),
      isFrame: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const table = new GatewayTable(6);
        for (const { address, mac, isFrame } of steps) {
          if (isFrame) table.frame('lan0', mac ?? A);
          else neighbour(table, address, mac);
          const gateways = table.list();
          const sources = gateways.flatMap((gateway) => gateway.sources);
          assert.equal(new Set(sources).size, sources.length);
          assert.ok(gateways.every(({ id }) => id >= 1 && id <= 6));
          assert.equal(new Set(gateways.map(({ id }) => id)).size, gateways.length);
          for (const gateway of gateways)
            for (const source of gateway.sources) assert.equal(table.bySource('lan0', source)?.id, gateway.id);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('leaves a quarter of the ids to gateways that frames came from', () => {
    const table = new GatewayTable(8);
    for (let index = 1; index <= 6; index += 1)
      assert.equal(neighbour(table, `192.0.2.${index}`, macOf(index)).length, 1);

    assert.deepEqual(neighbour(table, '192.0.2.7', macOf(7)), [`limit ${macOf(7)}`]);
    assert.deepEqual(inWords(table.frame('lan0', macOf(7))), [`found 7 ${macOf(7)}`]);
  });

  it('gives the id of an idle gateway to one that sends, after telling that the idle one is gone', () => {
    const table = new GatewayTable(4);
    for (let index = 1; index <= 3; index += 1) neighbour(table, `192.0.2.${index}`, macOf(index));
    table.frame('lan0', macOf(4));
    table.used(1);

    assert.deepEqual(inWords(table.frame('lan0', macOf(5))), ['gone 2 unused', `found 2 ${macOf(5)}`]);
  });

  it('says that there is no room when every gateway is in use, and keeps them all', () => {
    const table = new GatewayTable(2);
    table.frame('lan0', macOf(1));
    table.frame('lan0', macOf(2));

    assert.deepEqual(inWords(table.frame('lan0', macOf(3))), [`limit ${macOf(3)}`]);
    assert.deepEqual(
      table.list().map(({ mac }) => mac),
      [macOf(1), macOf(2)],
    );
  });

  it('does not run out of ids however often a VIP changes hands', () => {
    const table = new GatewayTable(16);
    neighbour(table, '192.0.2.2', A);
    neighbour(table, '192.0.2.3', B);
    neighbour(table, '192.0.2.1', A);
    for (const { id } of table.list()) table.used(id);

    for (let flap = 0; flap < 100; flap += 1) {
      const words = neighbour(table, '192.0.2.1', flap % 2 === 0 ? B : A);
      assert.ok(!words.some((word) => word.startsWith('limit')), `flap ${flap}: ${words.join(', ')}`);
      // Both routers go on sending, so both are learnt, each as a gateway that leads to itself.
      for (const mac of [A, B]) assert.equal(table.bySource('lan0', mac)?.mac, mac);
      for (const { id } of table.list()) table.used(id);
    }
  });

  it('gives ids out in rotation, so that a freed one is not taken again at once', () => {
    const table = new GatewayTable(8);
    table.frame('lan0', macOf(1));
    table.frame('lan1', macOf(2));
    assert.deepEqual(inWords(table.removeDevice('lan1')), ['gone 2 device']);

    assert.deepEqual(inWords(table.frame('lan0', macOf(3))), [`found 3 ${macOf(3)}`]);
    for (let index = 4; index <= 8; index += 1) table.frame('lan0', macOf(index));
    assert.deepEqual(inWords(table.frame('lan0', macOf(9))), [`found 2 ${macOf(9)}`]);
  });

  it('forgets a device with its gateways and addresses', () => {
    const table = new GatewayTable(8);
    neighbour(table, '192.0.2.1', A);
    table.removeDevice('lan0');

    assert.deepEqual(neighbour(table, '192.0.2.1', B), [`found 2 ${B}`], 'no move from what was on the old device');
  });

  it('remembers some thousand addresses and no more', () => {
    const table = new GatewayTable(8);
    neighbour(table, '192.0.2.1', A);
    for (let index = 0; index < 10_000; index += 1) neighbour(table, `2001:db8::${index.toString(16)}`, A);

    assert.ok(table.addressesOf(1).length <= 4096);
    assert.ok(!table.addressesOf(1).includes('192.0.2.1'), 'the oldest go first');
  });

  describe('adopt', () => {
    it('takes a gateway over under its id, as one that was in use', () => {
      const table = new GatewayTable(8);

      assert.equal(table.adopt({ id: 5, device: 'lan0', mac: A, sources: [A] }), true);
      assert.equal(table.isActive(5), true);
      assert.deepEqual(neighbour(table, '192.0.2.1', A), []);
      assert.deepEqual(neighbour(table, '192.0.2.2', B), [`found 6 ${B}`]);
    });

    it('takes over one that had moved, so that a frame of its own MAC brings it back', () => {
      const table = new GatewayTable(8);
      table.adopt({ id: 1, device: 'lan0', mac: B, sources: [A] });

      assert.equal(table.hasMoved(1), true);
      assert.deepEqual(inWords(table.alive('lan0', A, 'frame')), [`moved 1 ${A}`]);
    });

    it('takes over what a command had said', () => {
      const table = new GatewayTable(8);
      table.adopt({ id: 1, device: 'lan0', mac: B, sources: [A], isOrdered: true });

      assert.deepEqual(table.alive('lan0', A, 'frame'), []);
    });

    it('takes over the second one of a router, which is where its flows came from as far as is known', () => {
      const table = new GatewayTable(8);
      table.adopt({ id: 1, device: 'lan0', mac: B, sources: [] });

      assert.equal(table.hasMoved(1), false);
      assert.deepEqual(neighbour(table, '192.0.2.1', B), [`found 2 ${B}`]);
    });

    it('refuses ids that are taken or out of range, and sources that another has', () => {
      const table = new GatewayTable(8);
      table.adopt({ id: 1, device: 'lan0', mac: A, sources: [A] });

      assert.equal(table.adopt({ id: 1, device: 'lan0', mac: B, sources: [B] }), false);
      assert.equal(table.adopt({ id: 9, device: 'lan0', mac: B, sources: [B] }), false);
      assert.equal(table.adopt({ id: 0, device: 'lan0', mac: B, sources: [B] }), false);
      assert.equal(table.adopt({ id: 2, device: 'lan0', mac: A, sources: [A] }), false);
      assert.deepEqual(
        table.list().map(({ id }) => id),
        [1],
      );
    });
  });
});
