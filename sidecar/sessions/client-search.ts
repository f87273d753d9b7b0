import { parseRealAddress } from 'openvpn-management-client';
import { formatNetwork, parseNetwork } from '../../rules/index.js';
import type { Session } from './session-table.js';

/** One client that is connected, and the OpenVPN that serves it. */
export interface Candidate {
  /** The management endpoint. */
  readonly server: string;
  readonly session: Session;
}

/** In front of a number: a CID, and no common name of digits. */
const CID_PREFIX = 'cid:';

/**
 * The clients that an operator's word means: those of that common name; the one that has that address or subnet in the
 * tunnel; those that come from that real address, with or without a port; those of that CID (`7`, `cid:7`). Pure.
 */
export function findClients<Found extends Candidate>(word: string, candidates: Iterable<Found>): readonly Found[] {
  const isMeant = meaningOf(word);
  return [...candidates].filter(({ session }) => isMeant(session));
}

/** One client in a line of an error or a report: name, addresses, CID, server. */
export function describeClient({ server, session }: Candidate): string {
  const { cid, commonName, realAddress, addresses } = session;
  const networks = [...addresses.values()].map(formatNetwork).join(' ');
  return `${commonName} (${networks}) from ${realAddress ?? 'an unknown address'}, CID ${cid} at ${server}`;
}

function meaningOf(word: string): (session: Session) => boolean {
  if (word.startsWith(CID_PREFIX)) {
    const cid = word.slice(CID_PREFIX.length);
    return (session) => session.cid === cid || session.commonName === word;
  }
  const network = parseNetwork(word);
  const key = network === null ? null : formatNetwork(network);
  const real = parseRealAddress(word);
  return ({ cid, commonName, addresses, realAddress }) =>
    commonName === word ||
    cid === word ||
    (key !== null && [...addresses.values()].some((address) => formatNetwork(address) === key)) ||
    (real !== undefined && realAddress !== null && isFrom(realAddress, real));
}

/** @param wanted without a port or a protocol: any */
function isFrom(text: string, wanted: NonNullable<ReturnType<typeof parseRealAddress>>): boolean {
  const known = parseRealAddress(text);
  return (
    known?.address === wanted.address &&
    (wanted.port === undefined || wanted.port === known.port) &&
    (wanted.protocol === undefined || wanted.protocol === known.protocol)
  );
}
