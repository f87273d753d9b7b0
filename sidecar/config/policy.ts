import type { Network, Policy, Transport } from '../../rules/index.js';
import { parseNetwork } from '../../rules/index.js';
import type { Settings } from './settings.js';

/** The part of the settings that rules and routes need. The settings were checked, so this cannot fail. */
export function policyOf(settings: Settings): Policy {
  const { protocol, tableBase, priority, fallbackPriority, nexthop4, nexthop6 } = settings.routing;
  return {
    table: settings.table,
    markMask: settings.mark.mask,
    learnOnlink: settings.gateways.learnOnlink,
    routing: {
      protocol,
      tableBase,
      priority,
      fallbackPriority,
      nexthop4: networkOf(nexthop4),
      nexthop6: networkOf(nexthop6),
    },
  };
}

/** The networks of the setting `networks` that a tunnel device leads to. */
export function networksOf(settings: Settings, device: string): Network[] {
  return settings.networks
    .filter((configured) => configured.device === null || configured.device === device)
    .map(({ network }) => networkOf(network));
}

/** The part of the setting `transport` for one OpenVPN, by the name of its endpoint. */
export function transportsOf(settings: Settings, endpoint: string): Transport[] {
  return settings.transport
    .filter((configured) => configured.endpoint === null || configured.endpoint === endpoint)
    .map(({ protocol, address, port }) => ({
      protocol,
      address,
      families: address === null ? [4, 6] : [address.includes(':') ? 6 : 4],
      port,
    }));
}

function networkOf(text: string): Network {
  const network = parseNetwork(text);
  if (network === null) throw new Error(`${text} passed the check of the settings and is no network`);
  return network;
}
