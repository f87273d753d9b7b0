import { type Network, parseNetwork } from '../../rules/index.js';

/** What WireGuard knows of one peer. */
export interface DumpedPeer {
  /** Base64, its only name. */
  readonly publicKey: string;
  /** Where its packets came from last, or are sent to: `192.0.2.1:51820`, `[2001:db8::1]:51820`; null if unknown. */
  readonly endpoint: string | null;
  readonly allowedIps: readonly Network[];
  /** Unix time in seconds; 0: none yet. */
  readonly lastHandshake: number;
  /** Bytes since the interface was made. */
  readonly received: number;
  readonly sent: number;
}

/** One reading of an interface. Its keys are not kept. */
export interface InterfaceDump {
  /** Null if it has none. */
  readonly listenPort: number | null;
  readonly peers: readonly DumpedPeer[];
}

/**
 * Reads what `wg show INTERFACE dump` printed: a line of the interface, whose private key is dropped here, and one line
 * for each peer, whose preshared key is dropped too. Pure.
 *
 * @returns null for any other text
 * @see wg(8), show
 */
export function parseDump(text: string): InterfaceDump | null {
  const [own, ...rows] = text.split('\n').filter((line) => line !== '');
  const fields = own?.split('\t') ?? [];
  if (fields.length !== 4) return null;
  const port = Number(fields[2]);
  const peers = rows.map(parsePeer);
  if (!Number.isInteger(port) || peers.includes(null)) return null;
  return { listenPort: port === 0 ? null : port, peers: peers.filter((peer) => peer !== null) };
}

function parsePeer(line: string): DumpedPeer | null {
  const [publicKey = '', , endpoint = '', allowed = '', handshake, received, sent, ...others] = line.split('\t');
  const [lastHandshake, from, to] = [handshake, received, sent].map(Number);
  if (others.length !== 1 || lastHandshake === undefined || from === undefined || to === undefined) return null;
  return {
    publicKey,
    endpoint: endpoint === '(none)' ? null : endpoint,
    allowedIps: allowed.split(',').flatMap((item) => parseNetwork(item) ?? []),
    lastHandshake,
    received: from,
    sent: to,
  };
}
