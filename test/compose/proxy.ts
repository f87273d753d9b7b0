import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import type { Duplex } from 'node:stream';

import type { Namespace } from '../lab/namespace.js';
import type { LabProcess } from '../lab/process.js';

/**
 * A way out for the building of images: an HTTP proxy of this process, reached from a namespace that has no other
 * cable to the world. apt and npm find it by the variables that every docker build understands. Disposal closes it.
 */
export class BuildProxy implements AsyncDisposable {
  /** What `http_proxy` is set to. */
  readonly url: string;
  readonly #server: Server;
  readonly #door: LabProcess;

  private constructor(url: string, server: Server, door: LabProcess) {
    this.url = url;
    this.#server = server;
    this.#door = door;
  }

  /** Opens it on `address`, one of the namespace's own. */
  static async open(namespace: Namespace, directory: string, address: string): Promise<BuildProxy> {
    const server = createServer((incoming, outgoing) => forward(incoming, outgoing));
    server.on('connect', tunnel);
    const socket = path.join(directory, 'proxy.sock');
    server.listen(socket);
    await once(server, 'listening');
    // A unix socket knows no network namespaces: this end is ours, the other is the engine's.
    const door = namespace.spawn([
      'socat',
      '-d',
      '-d',
      `TCP-LISTEN:3128,bind=${address},fork,reuseaddr`,
      `UNIX-CONNECT:${socket}`,
    ]);
    await door.waitFor(/listening on/);
    return new BuildProxy(`http://${address}:3128`, server, door);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#door.stop();
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

function forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const upstream = request(
    new URL(incoming.url ?? ''),
    { method: incoming.method, headers: incoming.headers },
    (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    },
  );
  upstream.on('error', (error) => {
    outgoing.writeHead(502);
    outgoing.end(error.message);
  });
  incoming.pipe(upstream);
}

function tunnel(incoming: IncomingMessage, client: Duplex, head: Buffer): void {
  const { hostname, port } = new URL(`http://${incoming.url ?? ''}`);
  const upstream: Socket = connect(Number(port === '' ? 80 : port), hostname, () => {
    client.write('HTTP/1.1 200 Connection established\r\n\r\n');
    upstream.write(head);
    upstream.pipe(client);
    client.pipe(upstream);
  });
  upstream.on('error', () => client.destroy());
  client.on('error', () => upstream.destroy());
}
