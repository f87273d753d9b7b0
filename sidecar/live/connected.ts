import type { ClientStatus, StatusDocument } from '../status.js';

/** What those are called that a row is of. */
export type Noun = 'client' | 'peer' | 'tunnel';

/**
 * Everybody behind a tunnel, in one form: OpenVPN's clients, the connected peers of other VPNs, and tunnels of which
 * nobody says who is there. The field `management` of the latter two has the VPN: `wireguard wg0`, `tunnel tun5`. Pure.
 */
export function connectedOf({
  clients,
  sources = [],
  peers = [],
  startedAt,
}: StatusDocument): readonly ClientStatus[] {
  if (sources.length === 0) return clients;
  return [
    ...clients,
    ...peers
      .filter(({ isConnected }) => isConnected)
      .map(({ name, source, realAddress, addresses, since, traffic }): ClientStatus => ({
        cid: name,
        epoch: 0,
        commonName: name,
        realAddress,
        addresses,
        since: since ?? startedAt,
        management: `wireguard ${source}`,
        traffic,
      })),
    ...sources
      .filter(({ kind, state }) => kind === 'tunnel' && state === 'ready')
      .map(({ name, networks }): ClientStatus => ({
        cid: name,
        epoch: 0,
        commonName: name,
        realAddress: null,
        addresses: networks,
        since: startedAt,
        management: `tunnel ${name}`,
      })),
  ];
}

/** What a row of {@link connectedOf} is. */
export function nounOf({ management = '' }: Pick<ClientStatus, 'management'>): Noun {
  if (management.startsWith('wireguard ')) return 'peer';
  return management.startsWith('tunnel ') ? 'tunnel' : 'client';
}
