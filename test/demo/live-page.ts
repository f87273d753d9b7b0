import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import path from 'node:path';

import { PROGRAM } from '../lab/sidecar.js';
import { Flow, type Party } from '../lab/traffic.js';
import type { VpnLab } from '../lab/vpn-lab.js';
import { chapter, say } from './narrator.js';

/** Between two records of a flow: enough to see a rate. */
const INTERVAL_MS = 50;
const FIRST_PORT = 9_200;

/**
 * Serves the live page of a lab whose sidecar runs, with some flows under way, until `ended` is aborted.
 *
 * @param port of 127.0.0.1, 0 for a free one
 */
export async function serveLivePage(lab: VpnLab, port: number, ended: AbortSignal): Promise<void> {
  chapter('The same, live in a browser (gwmark web)');
  say('     four flows begin, and go on');
  await using flows = new LiveFlows();
  await flows.start('tcp', lab.party('hostA', 'v4'), lab.party('client1', 'v4'));
  await flows.start('udp', lab.party('hostB', 'v4'), lab.party('client2', 'v4'));
  await flows.start('tcp', lab.party('client2', 'v6'), lab.party('hostB', 'v6'));
  await flows.start('udp', lab.party('hostA', 'v6'), lab.party('client2', 'v6'));
  // The endpoint cannot be reached from here but by a socket in the file system.
  const socket = path.join(lab.directory, 'web.sock');
  const web = lab.topology.endpoint.spawn([
    process.execPath,
    PROGRAM,
    'web',
    '--listen',
    `unix:${socket}`,
    '--control-socket',
    lab.sidecar.controlSocket,
  ]);
  let relay: Server | null = null;
  try {
    const [, token] = await web.waitFor(/#token=(\w+)/);
    relay = await listen(socket, port);
    say(`     open http://127.0.0.1:${(relay.address() as AddressInfo).port}/#token=${token}`);
    say('     Ctrl-C ends it and removes everything');
    if (!ended.aborted) await once(ended, 'abort');
  } finally {
    relay?.close();
    await web.stop();
  }
}

/** Flows that end together. */
class LiveFlows implements AsyncDisposable {
  readonly #flows: Flow[] = [];

  async start(protocol: 'tcp' | 'udp', from: Party, to: Party): Promise<void> {
    const port = FIRST_PORT + this.#flows.length;
    this.#flows.push(await Flow.start(protocol, from, to, { port, intervalMs: INTERVAL_MS }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const flow of this.#flows) await flow[Symbol.asyncDispose]();
  }
}

/** Connects each client of a port of 127.0.0.1 to a unix socket. Closing it ends no connection. */
async function listen(socket: string, port: number): Promise<Server> {
  const server = createServer((client) => {
    const upstream = connect(socket);
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const)
      one
        .on('error', () => other.destroy())
        .on('close', () => other.destroy())
        .pipe(other);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
