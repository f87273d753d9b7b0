/** What a traffic peer is told, as one JSON argument. */
export interface PeerOptions {
  readonly protocol: 'tcp' | 'udp';
  /** Address to listen on, or to connect to. */
  readonly address: string;
  readonly port: number;
  /** Local address of the connecting side. */
  readonly source?: string;
  /** exchange: TCP bytes, or bytes of each datagram. */
  readonly bytes?: number;
  /** exchange over UDP: how many datagrams. */
  readonly count?: number;
  /** exchange: give up after this many milliseconds; flow: wait so long for what is outstanding at its end. */
  readonly timeoutMs?: number;
  /** flow: pause between two records, milliseconds. */
  readonly intervalMs?: number;
}

/** What agent.ts is asked; `id` is the request's own, and that of the server which `listen` makes. */
export type PeerRequest =
  | { readonly id: number; readonly kind: 'listen' | 'exchange'; readonly options: PeerOptions }
  | { readonly id: number; readonly kind: 'close'; readonly listening: number };

/** Reads the peer's options from its command line. */
export function peerOptions(): PeerOptions {
  const [, , text] = process.argv;
  if (text === undefined) throw new Error('usage: node PEER.js JSON');
  // Written by traffic.ts from the same type.
  return JSON.parse(text) as PeerOptions;
}

/** Prints one line for the parent to read. */
export function report(line: string | object): void {
  process.stdout.write(`${typeof line === 'string' ? line : JSON.stringify(line)}\n`);
}

/** Ends the peer with one line that says what went wrong. */
export function fail(error: Error): never {
  report({ error: error.message });
  process.exit(1);
}
