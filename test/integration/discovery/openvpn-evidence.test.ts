import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { createServer, type Server } from 'node:net';

import { Environment, type Session } from 'openvpn-management-client';

import type { Transport } from '../../../rules/index.js';
import { OpenVpnEvidence } from '../../../sidecar/discovery/openvpn-evidence.js';
import { captureLog } from '../../../sidecar/log/testing/captured-log.js';

const BANNER = 'OpenVPN 2.7.8 x86_64-pc-linux-gnu [SSL (OpenSSL)]';
const start = (...ports: readonly number[]): string[] => [
  BANNER,
  'TUN/TAP device tun0 opened',
  ...ports.map((port) => `UDPv4 link local (bound): [AF_INET][undef]:${port}`),
  'Initialization Sequence Completed',
];
const udp = (port: number): Transport => ({ protocol: 'udp', address: null, families: [4], port });
const login = (port: number): Environment =>
  Environment.from([
    ['local_port_1', String(port)],
    ['proto_1', 'udp4'],
    ['dev', 'tun3'],
  ]);
const NOTHING = { links: [], tunnels: [], taps: [] };

/** A connection to an OpenVPN whose process cannot be told, with that in the history of its log. */
function connection(lines: readonly string[]): Session {
  const log = (): Promise<unknown> => Promise.resolve(lines.map((text) => ({ kind: 'log', text })));
  // What is asked of it is here.
  return { daemon: { major: 2, minor: 7 }, descriptor: undefined, log } as unknown as Session;
}

function evidence(
  options: { configured?: readonly Transport[]; earlier?: readonly Transport[] } = {},
): OpenVpnEvidence {
  return new OpenVpnEvidence({
    endpoint: { kind: 'unix', path: '/nonexistent/management.sock' },
    configured: () => options.configured ?? [],
    earlier: () => options.earlier ?? [],
    logger: captureLog().logger,
  });
}

describe('OpenVpnEvidence', () => {
  const open: Socket[] = [];
  let ssh: Server;
  before(async () => {
    for (const port of [1194, 1195]) {
      const socket = createSocket('udp4');
      await new Promise<void>((resolve) => socket.bind(port, resolve));
      open.push(socket);
    }
    ssh = createServer().listen(22);
    await new Promise((resolve) => ssh.once('listening', resolve));
  });
  after(() => {
    for (const socket of open) socket.close();
    ssh?.close();
  });

  it('is not overruled by a source that is further down: a login withdraws nothing', async () => {
    const known = evidence({ earlier: [udp(1195)] });
    await known.read(connection(start(1194, 1195)));
    known.note(login(1195));

    assert.deepEqual(await known.transports(), { value: [udp(1194), udp(1195)], source: 'log' });
    assert.deepEqual(await known.device(NOTHING, []), { value: 'tun0', source: 'log' });
  });

  it('takes the next source where one does not know, and none where one knows what is not bound here', async () => {
    const known = evidence({ earlier: [udp(1195), udp(9)] });
    await known.read(connection([]));
    assert.deepEqual(await known.transports(), { value: [udp(1195)], source: 'earlier' });

    known.note(login(1194));
    assert.deepEqual(await known.transports(), { value: [udp(1194)], source: 'environment' });
    assert.deepEqual(await known.device(NOTHING, []), { value: 'tun3', source: 'environment' });

    known.note(login(9));
    assert.equal(await known.transports(), null);
    assert.match(known.reason, /udp\/9 by its environment, and no such socket/);
  });

  it('keeps what the log told of a start that it has forgotten since, and nothing beyond a restart', async () => {
    const known = evidence({ earlier: [udp(1195)] });
    await known.read(connection(start(1194)));
    await known.read(connection(['a line that is left']));
    assert.equal((await known.transports())?.source, 'log');

    known.restarted();
    await known.read(connection(['a line that is left']));
    assert.equal(await known.transports(), null, 'nor is what an earlier run knew true of another start');
  });

  it('is the setting before all', async () => {
    const known = evidence({ configured: [udp(443)] });
    await known.read(connection(start(1194)));

    assert.deepEqual(await known.transports(), { value: [udp(443)], source: 'setting' });
  });
});
