import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';

import type { PeerOptions } from './options.js';

/**
 * Sends back what it receives, over TCP (until the peer's end) or UDP. Resolves once it listens, with a function that
 * ends it.
 */
export async function echo({ protocol, address, port }: PeerOptions): Promise<() => void> {
  if (protocol === 'tcp') {
    const open = new Set<net.Socket>();
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      open.add(socket);
      socket.setNoDelay(true);
      // A peer that gives up is its own report.
      socket.on('error', () => socket.destroy()).on('close', () => open.delete(socket));
      socket.pipe(socket);
    });
    await once(server.listen({ host: address, port }), 'listening');
    return () => {
      server.close();
      for (const socket of open) socket.destroy();
    };
  }
  const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('message', (message, peer) => socket.send(message, peer.port, peer.address, () => undefined));
  await once(socket.bind({ address, port }), 'listening');
  return () => void socket.close();
}
