// Echo servers and exchanges of one namespace, as lines on standard input ask for them; an answer is a line with the
// request's id. One program for all of them, because starting one takes an emulated machine seconds.
import readline from 'node:readline';

import { echo } from './echo.js';
import { exchange } from './exchange.js';
import { type PeerRequest, report } from './options.js';

const servers = new Map<number, () => void>();

async function serve(request: PeerRequest): Promise<object> {
  const { id } = request;
  switch (request.kind) {
    case 'listen':
      servers.set(id, await echo(request.options));
      return { id };
    case 'close':
      servers.get(request.listening)?.();
      servers.delete(request.listening);
      return { id };
    case 'exchange':
      return { id, ...(await exchange(request.options)) };
    default:
      return request satisfies never;
  }
}

readline
  .createInterface({ input: process.stdin })
  .on('line', (line) => {
    // Written by peer-agent.ts.
    const request = JSON.parse(line) as PeerRequest;
    serve(request).then(report, (error: unknown) => report({ id: request.id, error: (error as Error).message }));
  })
  .on('close', () => process.exit(0));
