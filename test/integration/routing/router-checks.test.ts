import assert from 'node:assert/strict';
import type { GatewayChange } from '../../../sidecar/datapath/nexthop/gateway-change.js';
import { GatewayTable } from '../../../sidecar/datapath/nexthop/gateway-table.js';
import { RouterChecks } from '../../../sidecar/datapath/nexthop/router-checks.js';
import type { RuleCounters } from '../../../sidecar/firewall/firewall.js';
import { NetlinkRouting } from '../../../sidecar/routing/netlink/netlink-routing.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';
import { eventually } from '../../lab/wait.js';
import { ip, makeLan, resetKernel } from '../firewall/kernel.js';
import { report } from '../../unit/nexthop/gateway-words.js';

const ROUTER = '02:00:00:00:00:0a';
const CLAIMANT = '02:00:00:00:00:0b';

let routing: NetlinkRouting;

describe('a router that was silent when its address was claimed', () => {
  before(async () => {
    await resetKernel();
    await makeLan('lan0', '192.0.2.5/24');
    routing = await NetlinkRouting.open();
  });
  after(async () => {
    await routing?.[Symbol.asyncDispose]();
    await resetKernel();
  });

  it('gets its answers back by its first frame, also in the moment in which they went away', async () => {
    const table = new GatewayTable(200);
    const moves: string[] = [];
    let packets = 5;
    const take = (changes: readonly GatewayChange[]): void => {
      for (const change of changes) {
        checks.take(change);
        if (change.kind !== 'moved') continue;
        moves.push(`${change.by} ${change.gateway.mac}`);
        // The only frame that ever comes.
        if (change.by === 'silence') packets += 1;
      }
    };
    const readCounters = async (): Promise<RuleCounters> => ({
      received: new Map([[id, { packets, bytes: 0 }]]),
      sent: new Map(),
      fallThrough: new Map(),
    });
    const checks = checksOf(table, readCounters, take);
    table.frame('lan0', ROUTER);
    const id = table.bySource('lan0', ROUTER)?.id ?? 0;
    for (const address of ['192.0.2.1', '192.0.2.2']) report(table, { device: 'lan0', address, mac: ROUTER });

    take(report(table, { device: 'lan0', address: '192.0.2.1', mac: CLAIMANT }));
    await eventually(() => moves.length === 2, { what: 'a move and the way back' });
    await checks.close();

    assert.deepEqual(moves, [`silence ${CLAIMANT}`, `frame ${ROUTER}`]);
  });

  it('gets them back by an answer that comes late, and is looked for longer at the next claim', async () => {
    const table = new GatewayTable(200);
    const moves: string[] = [];
    const doubts: boolean[] = [];
    const take = (changes: readonly GatewayChange[]): void => {
      for (const change of changes) {
        checks.take(change);
        if (change.kind === 'moved' && change.gateway.id === id) moves.push(`${change.by} ${change.gateway.mac}`);
        if (change.kind === 'doubted') doubts.push(change.doubt.isContested);
      }
    };
    const checks = checksOf(table, readNothing, take);
    const claim = (mac: string): void => take(report(table, { device: 'lan0', address: '192.0.2.1', mac }));
    table.frame('lan0', ROUTER);
    const id = table.bySource('lan0', ROUTER)?.id ?? 0;
    for (const address of ['192.0.2.1', '192.0.2.2']) report(table, { device: 'lan0', address, mac: ROUTER });

    claim(CLAIMANT);
    await eventually(() => moves.length === 1, { what: 'a move' });
    await ip(`neigh replace 192.0.2.2 lladdr ${ROUTER} dev lan0 nud reachable`);
    await eventually(() => moves.length === 2, { what: 'the way back' });
    claim(ROUTER);
    claim(CLAIMANT);
    await checks.close();

    assert.deepEqual(moves, [`silence ${CLAIMANT}`, `answer ${ROUTER}`]);
    assert.deepEqual(doubts, [false, true]);
  });

  it('gets them back although other machines claim the address faster than counters can be read', async () => {
    const table = new GatewayTable(200);
    const moves: string[] = [];
    let packets = 5;
    const take = (changes: readonly GatewayChange[]): void => {
      for (const change of changes) {
        checks.take(change);
        if (change.kind === 'moved' && change.gateway.id === id) moves.push(`${change.by} ${change.gateway.mac}`);
      }
    };
    const claim = (mac: string): void => take(report(table, { device: 'lan0', address: '192.0.2.1', mac }));
    let readings = 0;
    const readCounters = async (): Promise<RuleCounters> => {
      readings += 1;
      const counted = { received: new Map([[id, { packets, bytes: 0 }]]), sent: new Map(), fallThrough: new Map() };
      // While it is read, the router sends, and another machine claims its address.
      packets += 1;
      if (readings < 100) claim(`02:66:00:00:00:${readings.toString(16).padStart(2, '0')}`);
      return counted;
    };
    const checks = checksOf(table, readCounters, take);
    table.frame('lan0', ROUTER);
    const id = table.bySource('lan0', ROUTER)?.id ?? 0;
    report(table, { device: 'lan0', address: '192.0.2.1', mac: ROUTER });

    claim(CLAIMANT);
    await eventually(() => moves.includes(`frame ${ROUTER}`), { what: 'the way back' });
    await checks.close();

    assert.equal(moves[0], `claim ${CLAIMANT}`);
    assert.ok(readings < 5, `${readings} readings`);
  });
});

const readNothing = async (): Promise<RuleCounters> => ({
  received: new Map(),
  sent: new Map(),
  fallThrough: new Map(),
});

function checksOf(
  table: GatewayTable,
  readCounters: () => Promise<RuleCounters>,
  onChanges: (changes: readonly GatewayChange[]) => void,
): RouterChecks {
  const checks = new RouterChecks({
    table,
    firewall: { readCounters },
    routing,
    logger: captureLog().logger,
    onChanges,
    onCounters: (counters) => checks.counted(counters),
  });
  return checks;
}
