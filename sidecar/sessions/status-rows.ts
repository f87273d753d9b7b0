import type { Cid, ClientAddress, StatusClient, StatusSnapshot } from 'openvpn-management-client';

/** What is known of a session, as far as rows of a status are compared with it. */
export interface KnownSession {
  readonly cid: Cid;
  readonly commonName: string;
  readonly realAddress: string | null;
  readonly addresses: ReadonlyMap<string, ClientAddress>;
}

const NONE: readonly ClientAddress[] = [];

/**
 * The CID of each row. `status 1`, the form of last resort, has none: there a session is found by a virtual address,
 * of which there are no two; else by its real address, which environments and tables do not always print alike, and
 * its name. What fits no session that is known gets a CID that OpenVPN never gives out, but that is unique in a table,
 * which is all it is used for.
 */
export function cidsOf(snapshot: StatusSnapshot, sessions: Iterable<KnownSession>): (client: StatusClient) => Cid {
  if (snapshot.clients.every(({ cid }) => cid !== undefined)) return (client) => client.cid ?? madeUpCid(client);
  const byAddress = new Map<string, KnownSession>();
  const free = new Set<KnownSession>(sessions);
  for (const session of free) for (const key of session.addresses.keys()) byAddress.set(key, session);
  const found = new Map<StatusClient, Cid>();
  const take = (client: StatusClient, session: KnownSession | undefined): void => {
    if (session === undefined) return;
    found.set(client, session.cid);
    free.delete(session);
  };
  for (const client of snapshot.clients) {
    take(
      client,
      [...client.addresses, ...client.subnets]
        .map(({ cidr }) => byAddress.get(cidr))
        .find((session) => session !== undefined && free.has(session)),
    );
  }
  for (const client of snapshot.clients) {
    if (found.has(client)) continue;
    const similar = [...free].filter(
      ({ realAddress, commonName }) =>
        realAddress === client.realAddressText &&
        (commonName === '' || client.commonName === undefined || commonName === client.commonName),
    );
    if (similar.length === 1) take(client, similar[0]);
  }
  return (client) => client.cid ?? found.get(client) ?? madeUpCid(client);
}

/**
 * The subnets behind each client. Without ports in real addresses (IPv6 before OpenVPN 2.7) two clients of one name
 * look alike in the routing table (duplicate-cn): then a subnet stays with the one that is known to have it, the
 * latest of these, since OpenVPN lets the latest have it (multi.c multi_learn_addr); where none is known to, the
 * latest that is connected has it. A client of another name never does.
 *
 * @param has whether a session is known to have this network
 */
export function subnetsOf(
  snapshot: StatusSnapshot,
  cidOf: (client: StatusClient) => Cid,
  has: (cid: Cid, cidr: string) => boolean,
): (client: StatusClient) => readonly ClientAddress[] {
  if (snapshot.unassignedRoutes.length === 0) return ({ subnets }) => subnets;
  const own = new Set(snapshot.clients.flatMap(({ addresses }) => addresses.map(({ cidr }) => cidr)));
  const given = new Map<StatusClient, ClientAddress[]>();
  for (const { address, isCached, realAddressText, commonName } of snapshot.unassignedRoutes) {
    if (address === undefined || isCached || own.has(address.cidr)) continue;
    const alike = snapshot.clients.filter(
      (client) => client.realAddressText === realAddressText && client.commonName === commonName,
    );
    const owner =
      latest(
        alike.filter((client) => has(cidOf(client), address.cidr)),
        cidOf,
      ) ??
      latest(
        alike.filter(({ hasAddress }) => hasAddress),
        cidOf,
      );
    if (owner !== undefined) given.set(owner, [...(given.get(owner) ?? []), address]);
  }
  return (client) => {
    const more = given.get(client) ?? NONE;
    return more.length === 0 ? client.subnets : [...client.subnets, ...more];
  };
}

/** OpenVPN counts CIDs up; the rows of a status are in no order. */
function latest(clients: readonly StatusClient[], cidOf: (client: StatusClient) => Cid): StatusClient | undefined {
  const rank = (client: StatusClient): bigint => (/^\d+$/.test(cidOf(client)) ? BigInt(cidOf(client)) : -1n);
  return clients.reduce<StatusClient | undefined>(
    (best, client) => (best === undefined || rank(client) >= rank(best) ? client : best),
    undefined,
  );
}

function madeUpCid({ realAddressText, addresses }: StatusClient): Cid {
  return `${realAddressText} ${addresses[0]?.cidr ?? ''}` as Cid;
}
