import { createSocket } from 'node:dgram';

/**
 * One end of a flow that only answers. `ask ADDRESS PORT OWN`: sends one datagram, then counts what comes. `answer
 * ADDRESS PORT`: once a datagram came, sends one every ten milliseconds, for two minutes at most. Prints `ready`, and
 * `count N` for every tenth.
 */
const [role = '', address = '', port = '', own = ''] = process.argv.slice(2);
const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');

if (role === 'answer') {
  socket.once('message', (_, { address: to, port: toPort }) => {
    let left = 12_000;
    setInterval(() => {
      if (left > 0) socket.send('answer', toPort, to, () => undefined);
      left -= 1;
    }, 10);
  });
  // A router that went away may cause ICMP errors.
  socket.on('error', () => undefined).bind(Number(port), address, () => console.log('ready'));
} else {
  let count = 0;
  socket.on('message', () => {
    count += 1;
    if (count % 10 === 0) console.log(`count ${count}`);
  });
  socket.bind(0, own, () => {
    console.log('ready');
    socket.send('question', Number(port), address);
  });
}
