import type { Network, Policy, Transport } from '../../rules/index.js';
import { parseNetwork } from '../../rules/index.js';
import type { ConfiguredTransport, ConfiguredTunnel, Settings } from './settings.js';

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

/** The devices of other VPNs that settings name. */
export function namedTunnels({ tunnels, wireguard }: Pick<Settings, 'tunnels' | 'wireguard'>): readonly string[] {
  return [...tunnels.map(({ device }) => device), ...wireguard.interfaces];
}

/** The part of the setting `transport` for one OpenVPN, by the name of its endpoint. */
export function transportsOf(settings: Settings, endpoint: string): Transport[] {
  return settings.transport
    .filter((configured) => configured.endpoint === null || configured.endpoint === endpoint)
    .map(transportOf);
}

/** A configured socket as rules need it. */
export function transportOf({ protocol, address, port }: ConfiguredTransport): Transport {
  return { protocol, address, families: address === null ? [4, 6] : [address.includes(':') ? 6 : 4], port };
}

/** The networks of an entry of the setting `tunnels`. */
export function networksOfTunnel({ networks }: ConfiguredTunnel): Network[] {
  return networks.map((network) => networkOf(network));
}

function networkOf(text: string): Network {
  const network = parseNetwork(text);
  if (network === null) throw new Error(`${text} passed the check of the settings and is no network`);
  return network;
}
