// SPDX-License-Identifier: GPL-2.0
// Servers for the scripts, on both families: node peer.mjs READY-FILE WHAT:PORT...
//   echo:PORT          UDP and TCP, sends back what it gets
//   sized:SIZE         UDP on port SIZE: answers any datagram with SIZE bytes
//   source:PORT[:N]    TCP: sends N bytes (300000) to whoever connects
//   speak:PORT         UDP: one question, then an answer every 100 ms
// READY-FILE is made when all of them listen.
import dgram from 'node:dgram';
import { writeFileSync } from 'node:fs';
import net from 'node:net';

const [ready, ...specs] = process.argv.slice(2);
const families = [
  { type: 'udp4', any: '0.0.0.0', ipv6Only: false },
  { type: 'udp6', any: '::', ipv6Only: true },
];

function udp(port, answer) {
  return families.map(
    ({ type, any, ipv6Only }) =>
      new Promise((resolve, reject) => {
        const socket = dgram.createSocket({ type, ipv6Only });
        socket.on('message', (message, peer) =>
          answer((text) => socket.send(text, peer.port, peer.address, () => {}), message),
        );
        socket.on('error', reject);
        socket.bind(port, any, resolve);
      }),
  );
}

function tcp(port, serve) {
  return families.map(
    ({ any, ipv6Only }) =>
      new Promise((resolve, reject) => {
        const server = net.createServer({ allowHalfOpen: true }, (socket) => {
          socket.on('error', () => socket.destroy());
          serve(socket);
        });
        server.on('error', reject);
        server.listen({ port, host: any, ipv6Only }, resolve);
      }),
  );
}

const KINDS = {
  echo: (port) => [...udp(port, (send, message) => send(message)), ...tcp(port, (socket) => socket.pipe(socket))],
  sized: (size) => udp(size, (send) => send(Buffer.alloc(size, 'x'))),
  source: (port, size = 300_000) => tcp(port, (socket) => socket.end(Buffer.alloc(size, 'x'))),
  speak: (port) =>
    udp(port, (send) => {
      let count = 0;
      const timer = setInterval(() => {
        send(`${(count += 1)}\n`);
        if (count === 6000) clearInterval(timer);
      }, 100);
    }),
};
await Promise.all(
  specs.flatMap((spec) => {
    const [what, ...numbers] = spec.split(':');
    return KINDS[what](...numbers.map(Number));
  }),
);
writeFileSync(ready, '');
