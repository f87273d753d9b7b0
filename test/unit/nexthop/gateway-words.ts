import type { NeighbourState } from '../../../sidecar/datapath/datapath.js';
import type { GatewayChange } from '../../../sidecar/datapath/nexthop/gateway-change.js';
import type { GatewayTable } from '../../../sidecar/datapath/nexthop/gateway-table.js';

export const A = '02:00:00:00:00:0a';
export const B = '02:00:00:00:00:0b';

/** The answer to an event of the neighbour table, in words. */
export function neighbour(table: GatewayTable, address: string, mac: string | null, device = 'lan0'): string[] {
  return inWords(report(table, { device, address, mac }));
}

/** An event of the neighbour table: the claim, and then who is new, as the datapath does it. */
export function report(table: GatewayTable, state: NeighbourState): readonly GatewayChange[] {
  const { changes, isNew } = table.claim(state);
  return isNew && state.mac !== null ? [...changes, ...table.seen(state.device, state.mac)] : changes;
}

/** `found 1 MAC`, `moved 1 MAC`, `gone 1 device`. */
export function inWords(changes: readonly GatewayChange[]): string[] {
  return changes.map((change) => {
    if (change.kind === 'limit') return `limit ${change.mac}`;
    if (change.kind === 'doubted')
      return `doubted ${change.doubt.mac} for ${change.doubt.claimedBy}: ${change.doubt.others.join(' ')}`;
    return `${change.kind} ${change.gateway.id} ${change.kind === 'gone' ? change.why : change.gateway.mac}`;
  });
}

/** A MAC address of its own for each index, 0..65535. */
export function macOf(index: number): string {
  return `02:00:00:00:${(index >> 8).toString(16).padStart(2, '0')}:${(index & 255).toString(16).padStart(2, '0')}`;
}
