import { contains, isHost, type Network, parseNetwork } from '../../rules/index.js';
import type { Flow, FlowSource } from '../flows/flow.js';
import { clientKey } from '../live/message.js';
import type { ClientStatus } from '../status.js';

/** More flows than these are counted in pairs, and not listed. */
const MAX_LISTED = 500;
/** More than these are not read: a look every few seconds must stay cheap. */
const MAX_READ = 20_000;

/** The flows between a gateway and a client. */
export interface FlowPair {
  readonly gateway: number;
  /** Null: of no client that is connected, OpenVPN's own among them. */
  readonly client: string | null;
  readonly flows: number;
  /** In both directions; null where the kernel does not count. */
  readonly bytes: number | null;
}

/** What the page shows of the kernel's flows. */
export interface FlowPage {
  readonly flows: readonly (Flow & { readonly client: string | null })[];
  readonly pairs: readonly FlowPair[];
  /** Some flows are not in the list. */
  readonly isTruncated: boolean;
}

/** Reads flows and finds the client of each. */
export async function readFlowPage(source: FlowSource, clients: readonly ClientStatus[]): Promise<FlowPage> {
  const clientOf = clientFinder(clients);
  const flows: FlowPage['flows'][number][] = [];
  const pairs = new Map<string, FlowPair>();
  let read = 0;
  for await (const flow of source.flows()) {
    read += 1;
    if (read > MAX_READ) break;
    const client = clientOf(flow);
    if (flows.length < MAX_LISTED) flows.push({ ...flow, client });
    const key = `${flow.gateway} ${client}`;
    const pair = pairs.get(key) ?? { gateway: flow.gateway, client, flows: 0, bytes: null };
    const counted = (flow.original.counted?.bytes ?? 0) + (flow.reply.counted?.bytes ?? 0);
    const isCounted = flow.original.counted !== null;
    pairs.set(key, {
      ...pair,
      flows: pair.flows + 1,
      bytes: isCounted ? (pair.bytes ?? 0) + counted : pair.bytes,
    });
  }
  return { flows, pairs: [...pairs.values()], isTruncated: read > flows.length };
}

/** The client that has one of the flow's addresses, or a subnet with one of them. */
function clientFinder(clients: readonly ClientStatus[]): (flow: Flow) => string | null {
  const hosts = new Map<string, string>();
  const subnets: { readonly network: Network; readonly key: string }[] = [];
  for (const client of clients)
    for (const text of client.addresses) {
      const network = parseNetwork(text);
      if (network === null) continue;
      if (isHost(network)) hosts.set(network.address, clientKey(client));
      else subnets.push({ network, key: clientKey(client) });
    }
  return ({ family, original, reply }) => {
    const addresses = [original.destination, original.source, reply.source, reply.destination];
    for (const address of addresses) {
      const key = hosts.get(address);
      if (key !== undefined) return key;
    }
    if (subnets.length === 0) return null;
    for (const address of addresses) {
      const host = parseNetwork(address);
      const found = subnets.find(
        ({ network }) => host !== null && network.family === family && contains(network, host),
      );
      if (found !== undefined) return found.key;
    }
    return null;
  };
}
