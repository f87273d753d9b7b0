// Sends back what it receives, over TCP (until the peer's end) or UDP, and prints "ready" once it listens.
import dgram from 'node:dgram';
import net from 'node:net';

import { fail, peerOptions, report } from './options.js';

const options = peerOptions();
const { address, port } = options;
if (options.protocol === 'tcp') {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.setNoDelay(true);
    // A peer that gives up is its own report.
    socket.on('error', () => socket.destroy());
    socket.pipe(socket);
  });
  server.on('error', fail);
  server.listen({ host: address, port }, () => report('ready'));
} else {
  const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
  socket.on('error', fail);
  socket.on('message', (message, peer) => socket.send(message, peer.port, peer.address));
  socket.bind({ address, port }, () => report('ready'));
}
