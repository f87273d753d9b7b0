import assert from 'node:assert/strict';
import { GatewayTable } from '../../../sidecar/datapath/nexthop/gateway-table.js';
import { A, B, inWords, macOf, neighbour } from './gateway-words.js';

describe('ids for routers that are not known yet', () => {
  const [C, D] = [macOf(0xc), macOf(0xd)];

  it('are vacant four a link, and no gateway gets one of them otherwise', () => {
    const table = new GatewayTable(200);

    assert.equal(table.reserve(['lan0', 'lan1']), true);
    assert.equal(table.reserve(['lan0', 'lan1']), false);

    assert.deepEqual(
      table.vacancies.list.map(({ id, device }) => `${id} ${device}`),
      ['200 lan0', '199 lan0', '198 lan0', '197 lan0', '196 lan1', '195 lan1', '194 lan1', '193 lan1'],
    );
    assert.deepEqual(neighbour(table, '192.0.2.1', A), [`found 1 ${A}`]);
  });

  it('are at most an eighth of all, so that few bits of the mark leave room for routers', () => {
    for (const [max, vacant] of [
      [254, 8],
      [15, 1],
      [7, 0],
      [3, 0],
    ] as const) {
      const table = new GatewayTable(max);
      table.reserve(['lan0', 'lan1']);
      assert.equal(table.vacancies.list.length, vacant, `of ${max}`);
    }
  });

  it('become that of the router that took one, and the next one comes last', () => {
    const table = new GatewayTable(200);
    table.reserve(['lan0']);

    assert.deepEqual(inWords(table.seat(199, 'lan0', A)), [`found 199 ${A}`]);
    assert.deepEqual(inWords(table.seat(199, 'lan0', B)), []);
    table.reserve(['lan0']);

    assert.deepEqual(table.get(199), { id: 199, device: 'lan0', mac: A, sources: [A] });
    assert.equal(table.isActive(199), true);
    assert.deepEqual(
      table.vacancies.list.map(({ id }) => id),
      [200, 198, 197, 196],
    );
  });

  it('are a second one for a router that was found under another just then, which moves along', () => {
    const table = new GatewayTable(200);
    table.reserve(['lan0']);
    assert.deepEqual(neighbour(table, '192.0.2.1', A), [`found 1 ${A}`]);

    assert.deepEqual(inWords(table.seat(200, 'lan0', A)), [`found 200 ${A}`]);

    assert.deepEqual(table.get(200), { id: 200, device: 'lan0', mac: A, sources: [] });
    assert.equal(table.bySource('lan0', A)?.id, 1);
    assert.deepEqual(neighbour(table, '192.0.2.1', B).slice(0, 2), [`moved 1 ${B}`, `moved 200 ${B}`]);
    assert.deepEqual(inWords(table.order('lan0', A, C) ?? []), [`moved 1 ${C}`, `moved 200 ${C}`]);
  });

  it('are moved, as a second one, only while its router is', () => {
    const table = new GatewayTable(200);
    table.reserve(['lan0']);
    neighbour(table, '192.0.2.1', A);
    table.frame('lan0', A);
    table.seat(200, 'lan0', A);
    assert.equal(table.hasMoved(200), false);

    neighbour(table, '192.0.2.1', B);
    assert.deepEqual([table.hasMoved(1), table.hasMoved(200)], [true, true]);
    assert.deepEqual(inWords(table.alive('lan0', A, 'frame')), [`moved 1 ${A}`, `moved 200 ${A}`]);

    assert.deepEqual([table.hasMoved(1), table.hasMoved(200)], [false, false]);
    assert.deepEqual(inWords(table.alive('lan0', B, 'frame')), []);
  });

  it('are lost to a sender that is not learnt from', () => {
    const table = new GatewayTable(200, (_device, mac) => mac !== D);
    table.reserve(['lan0']);

    assert.deepEqual(inWords(table.seat(200, 'lan0', D)), ['gone 200 excluded']);

    assert.deepEqual(table.list(), []);
    assert.equal(table.vacancies.has(200), false);
  });

  it('are not given to others, even when no other id is left', () => {
    const table = new GatewayTable(16);
    table.reserve(['lan0']);
    for (let index = 0; index < 14; index += 1) table.frame('lan0', macOf(100 + index));

    assert.deepEqual(inWords(table.frame('lan0', A)), [`limit ${A}`]);
    assert.equal(table.list().length, 14);
  });

  it('are taken over from an earlier run, unless a gateway has the id', () => {
    const table = new GatewayTable(200);
    table.adopt({ id: 7, device: 'lan0', mac: A, sources: [A] });

    table.adoptVacancy({ id: 7, device: 'lan0' });
    table.adoptVacancy({ id: 9, device: 'lan0' });

    assert.deepEqual(table.vacancies.list, [{ id: 9, device: 'lan0' }]);
    assert.deepEqual(neighbour(table, '192.0.2.2', B), [`found 8 ${B}`]);
  });
});
