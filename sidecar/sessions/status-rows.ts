import type { Cid, ClientAddress, StatusClient, StatusRoute, StatusSnapshot } from 'openvpn-management-client';

/** What is known of a session, as far as rows of a status are compared with it. */
export interface KnownSession {
  readonly cid: Cid;
  readonly commonName: string;
  /** Empty if it is not known. */
  readonly username: string;
  readonly realAddress: string | null;
  readonly addresses: ReadonlyMap<string, ClientAddress>;
}

const NONE: readonly ClientAddress[] = [];
/** For rows of another status. */
const NO_CID = '' as Cid;

/**
 * The CID of each row. `status 1`, the form of last resort, has none: there a session is found by its name and the
 * best of these: its real address with a port, which only one client has; a virtual address of its own; a subnet; its
 * real address without a port, if only one is like it. Environments and tables do not always print real addresses
 * alike. What fits no session that is known gets a CID that OpenVPN never gives out, but that is unique in a table,
 * which is all it is used for.
 */
export function cidsOf(snapshot: StatusSnapshot, sessions: Iterable<KnownSession>): (client: StatusClient) => Cid {
  const { clients, unassignedRoutes } = snapshot;
  if (clients.every(({ cid }) => cid !== undefined)) return ({ cid }) => cid ?? NO_CID;
  const cids = new Map<StatusClient, Cid>();
  for (const client of clients) if (client.cid !== undefined) cids.set(client, client.cid);
  const free = new Set<KnownSession>(sessions);
  const used = new Set<Cid>([...free].map(({ cid }) => cid));
  const byAddress = new Map<string, KnownSession>();
  for (const session of free) for (const key of session.addresses.keys()) byAddress.set(key, session);
  const byRealAddress = new Map<string | null, KnownSession[]>();
  for (const session of free) listIn(byRealAddress, session.realAddress).push(session);
  const unassigned = new Map<string, ClientAddress[]>();
  for (const route of unassignedRoutes)
    if (route.address !== undefined) listIn(unassigned, nameAndPlace(route)).push(route.address);
  const matchAll = (candidates: (client: StatusClient) => readonly (KnownSession | undefined)[]): void => {
    for (const client of clients) {
      if (cids.has(client)) continue;
      const session = candidates(client).find(
        (each) => each !== undefined && free.has(each) && canBeNamed(each, client),
      );
      if (session === undefined) continue;
      cids.set(client, session.cid);
      free.delete(session);
    }
  };
  const atRealAddress = ({ realAddressText }: StatusClient): readonly KnownSession[] =>
    byRealAddress.get(realAddressText) ?? [];
  const having = (addresses: readonly ClientAddress[]): (KnownSession | undefined)[] =>
    addresses.map(({ cidr }) => byAddress.get(cidr));
  matchAll((client) => (client.realAddress?.port === undefined ? [] : atRealAddress(client)));
  matchAll(({ addresses }) => having(addresses));
  matchAll((client) => having([...client.subnets, ...(unassigned.get(nameAndPlace(client)) ?? [])]));
  matchAll((client) => {
    const similar = atRealAddress(client).filter((session) => free.has(session) && canBeNamed(session, client));
    return similar.length === 1 ? similar : [];
  });
  for (const client of clients) {
    if (cids.has(client)) continue;
    const cid = madeUpCid(client, used);
    cids.set(client, cid);
    used.add(cid);
  }
  return (client) => cids.get(client) ?? NO_CID;
}

/** What a client's row and its routes have in common: the real address, which may have no port, and the name. */
function nameAndPlace({ realAddressText, commonName }: StatusClient | StatusRoute): string {
  return `${realAddressText} ${commonName ?? ''}`;
}

function listIn<Key, Item>(lists: Map<Key, Item[]>, key: Key): Item[] {
  const known = lists.get(key);
  if (known !== undefined) return known;
  const list: Item[] = [];
  lists.set(key, list);
  return list;
}

/** What a row of a status, or the environment of an event, calls a client. */
export interface Names {
  readonly commonName: string | undefined;
  readonly username: string | undefined;
}

/**
 * Whether this may be that session, by its names: nothing is known of one of the two, or they share one. With
 * `--username-as-common-name`, events of a login have the certificate's name, and everything later has the user name.
 */
export function canBeNamed(session: Names, told: Names): boolean {
  const known = namesOf(session);
  const names = namesOf(told);
  return known.length === 0 || names.length === 0 || names.some((name) => known.includes(name));
}

/** OpenVPN says UNDEF where there is none. */
function namesOf({ commonName, username }: Names): readonly string[] {
  return [commonName, username].filter((name) => name !== undefined && name !== '' && name !== 'UNDEF') as string[];
}

/**
 * The subnets behind each client. Without ports in real addresses (IPv6 before OpenVPN 2.7) two clients of one name
 * look alike in the routing table (duplicate-cn): then a subnet stays with the one that is known to have it, the
 * latest of these, since OpenVPN lets the latest have it (multi.c multi_learn_addr); if none is known to, the
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
  for (const route of snapshot.unassignedRoutes) {
    const { address, isCached } = route;
    if (address === undefined || isCached || own.has(address.cidr)) continue;
    const alike = snapshot.clients.filter((client) => nameAndPlace(client) === nameAndPlace(route));
    const owner =
      latest(
        alike.filter((client) => has(cidOf(client), address.cidr)),
        cidOf,
      ) ??
      latest(
        // `status 1` has no addresses of its own.
        alike.filter(({ hasAddress }) => hasAddress || snapshot.format === 1),
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
  return clients.reduce<StatusClient | undefined>(
    (best, client) => (best === undefined || rank(cidOf(client)) >= rank(cidOf(best)) ? client : best),
    undefined,
  );
}

function rank(cid: Cid): bigint {
  return /^\d+$/.test(cid) ? BigInt(cid) : -1n;
}

function madeUpCid({ realAddressText, addresses }: StatusClient, used: ReadonlySet<Cid>): Cid {
  const text = `${realAddressText} ${addresses[0]?.cidr ?? ''}`;
  let cid = text as Cid;
  for (let number = 2; used.has(cid); number += 1) cid = `${text} ${number}` as Cid;
  return cid;
}
