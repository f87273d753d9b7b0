import assert from 'node:assert/strict';
import { GatewayTable } from '../../../sidecar/datapath/nexthop/gateway-table.js';
import { A, B, inWords, macOf, neighbour, report } from './gateway-words.js';

const ROUTER = '192.0.2.1';

describe('GatewayTable, of claims that proved false', () => {
  let nowMs = 0;
  let table: GatewayTable;
  beforeEach(() => {
    nowMs = 0;
    table = new GatewayTable(64, undefined, () => nowMs);
    table.frame('lan0', A);
    neighbour(table, ROUTER, A);
    neighbour(table, ROUTER, B);
    table.alive('lan0', A, 'frame');
  });

  it('gives a router its address back, and asks it before it believes the next claim', () => {
    assert.deepEqual(table.addressesOf(1), [ROUTER]);
    assert.deepEqual(neighbour(table, ROUTER, B), [`doubted ${A} for ${B}: `]);
    assert.equal(table.get(1)?.mac, A);
    assert.equal(table.doubtOf('lan0', A)?.isContested, true);
  });

  it('gives the address to the last of many that claim it while the router is asked, if that is silent', () => {
    neighbour(table, ROUTER, B);
    for (let index = 100; index < 200; index += 1)
      assert.deepEqual(
        inWords(report(table, { device: 'lan0', address: ROUTER, mac: macOf(index) })).slice(0, -1),
        [],
      );

    assert.deepEqual(inWords(table.silent('lan0', A)), [`moved 1 ${macOf(199)}`]);
  });

  it('believes a claim again when there was none for ten seconds', () => {
    nowMs = 10_001;

    assert.deepEqual(neighbour(table, ROUTER, B), [`moved 1 ${B}`]);
  });

  it('keeps addresses of routers whatever thousands of hosts claim, moves hosts that send nothing seldom, and stays as small', () => {
    let moved = 0;
    for (let index = 0; index < 20_000; index += 1) {
      const address = `10.0.${(index >> 8) & 63}.${index & 255}`;
      const changes = report(table, { device: 'lan0', address, mac: macOf(1000 + (index % 50_000)) });
      moved += changes.filter(({ kind }) => kind === 'moved').length;
    }

    assert.equal(table.macOf('lan0', ROUTER), A);
    assert.ok(table.list().length <= 48, 'a quarter of the ids is for those that send');
    assert.ok(moved <= 48 * 4, `${moved} moves`);
    assert.deepEqual(neighbour(table, ROUTER, B), [`doubted ${A} for ${B}: `]);
  });
});

describe('GatewayTable, of a gateway that is pinned', () => {
  it('moves it for a command alone', () => {
    const table = new GatewayTable(64, undefined, undefined, (_, mac) => mac === A);
    table.frame('lan0', A);
    neighbour(table, ROUTER, A);

    assert.deepEqual(neighbour(table, ROUTER, B), [`found 2 ${B}`]);
    assert.deepEqual(inWords(table.order('lan0', A, B) ?? []), [`moved 1 ${B}`]);
  });
});

describe('GatewayTable, of a gateway that a command forgets', () => {
  it('has it again with its next frame, under another id', () => {
    const table = new GatewayTable(64);
    table.frame('lan0', A);

    assert.deepEqual(inWords(table.forget('lan0', B)), []);
    assert.deepEqual(inWords(table.forget('lan0', A)), ['gone 1 command']);
    assert.deepEqual(table.list(), []);
    assert.deepEqual(inWords(table.frame('lan0', A)), [`found 2 ${A}`]);
  });
});

describe('GatewayTable, of a group of routers (VRRP, HSRP)', () => {
  it('leaves the address with the group when a member asks with it, and follows it to another group', () => {
    const table = new GatewayTable(64);
    neighbour(table, ROUTER, '00:00:5e:00:01:33');

    assert.deepEqual(neighbour(table, ROUTER, A), [`found 2 ${A}`]);
    assert.deepEqual(table.addressesOf(1), [ROUTER]);
    assert.deepEqual(neighbour(table, ROUTER, '00:00:0c:07:ac:33'), [
      'moved 1 00:00:0c:07:ac:33',
      'found 3 00:00:0c:07:ac:33',
    ]);
  });
});
