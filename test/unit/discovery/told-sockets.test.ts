import assert from 'node:assert/strict';

import { Environment } from 'openvpn-management-client';

import { parseConfig } from '../../../sidecar/discovery/openvpn-options.js';
import type { BoundSocket } from '../../../sidecar/discovery/sockets.js';
import {
  confirm,
  toldByEnvironment,
  toldByOptions,
  type ToldSocket,
} from '../../../sidecar/discovery/told-sockets.js';

const told = (
  protocol: 'udp' | 'tcp',
  port: number,
  address: string | null = null,
  families: readonly (4 | 6)[] = [4, 6],
): ToldSocket => ({ protocol, families, address, port });
const bound = (protocol: 'udp' | 'tcp', port: number, address = '0.0.0.0'): BoundSocket => ({
  protocol,
  family: address.includes(':') ? 6 : 4,
  address,
  port,
  inode: 7,
  isConnected: false,
});
const optionsOf = (text: string, unread: readonly string[] = []): Parameters<typeof toldByOptions>[0] => ({
  options: parseConfig(text),
  unread,
});

describe('what the environment of an event tells of sockets', () => {
  it('is each of OpenVPN 2.7, in the order of its local lines', () => {
    const env = Environment.from([
      ['local_port_3', '1195'],
      ['proto_3', 'udp'],
      ['local_port_2', '443'],
      ['local_2', '192.0.2.11'],
      ['proto_2', 'tcp-server'],
      ['local_port_1', '1194'],
      ['local_1', '192.0.2.10'],
      ['proto_1', 'udp'],
    ]);

    assert.deepEqual(toldByEnvironment(env), [
      told('udp', 1194, '192.0.2.10'),
      told('tcp', 443, '192.0.2.11'),
      told('udp', 1195),
    ]);
  });

  it('is the one of earlier versions', () => {
    assert.deepEqual(
      toldByEnvironment(
        Environment.from([
          ['remote_port_1', '1194'],
          ['local_port_1', '1194'],
          ['proto_1', 'udp4'],
        ]),
      ),
      [told('udp', 1194, null, [4])],
    );
  });

  it('is nothing where a socket is named by a host name, or there is none', () => {
    assert.equal(
      toldByEnvironment(
        Environment.from([
          ['local_port_1', '1194'],
          ['local_1', 'vpn.example.net'],
          ['proto_1', 'udp'],
        ]),
      ),
      null,
    );
    assert.equal(toldByEnvironment(Environment.from([['dev', 'tun0']])), null);
  });
});

describe('what the options tell of sockets', () => {
  it("is OpenVPN's default where they say nothing", () => {
    assert.deepEqual(toldByOptions(optionsOf('dev tun\nserver 10.8.0.0 255.255.255.0'), true), [told('udp', 1194)]);
  });

  it('is port, lport, proto and local, the last of each before 2.7', () => {
    assert.deepEqual(
      toldByOptions(optionsOf('port 1\nport 443\nproto tcp4-server\nlocal 192.0.2.9\nlocal 192.0.2.10'), false),
      [told('tcp', 443, '192.0.2.10', [4])],
    );
    assert.deepEqual(toldByOptions(optionsOf('port 443\nlport 1195'), false), [told('udp', 1195)]);
  });

  it('is a socket for each local line since 2.7', () => {
    assert.deepEqual(
      toldByOptions(optionsOf('port 1194\nlocal 192.0.2.10\nlocal 192.0.2.11 443 tcp\nlocal * 1195 udp4'), true),
      [told('udp', 1194, '192.0.2.10'), told('tcp', 443, '192.0.2.11'), told('udp', 1195, null, [4])],
    );
  });

  it('is nothing where a file could not be read, or an address is a name', () => {
    assert.equal(toldByOptions(optionsOf('port 443', ['server.conf']), true), null);
    assert.equal(toldByOptions(optionsOf('local vpn.example.net'), true), null);
  });
});

describe('confirm', () => {
  it('finds the socket that was told of, by protocol, port and address', () => {
    const sockets = [bound('udp', 1194), bound('udp', 1194, '192.0.2.10'), bound('tcp', 1194), bound('udp', 1195)];

    assert.deepEqual(confirm([told('udp', 1194)], sockets), [
      { protocol: 'udp', address: null, families: [4], port: 1194 },
    ]);
    assert.deepEqual(confirm([told('udp', 1194, '192.0.2.10')], sockets), [
      { protocol: 'udp', address: '192.0.2.10', families: [4], port: 1194 },
    ]);
  });

  it('finds nothing where one of them is not bound here, or may be either of two', () => {
    assert.deepEqual(confirm([told('udp', 1194), told('tcp', 443)], [bound('udp', 1194)]), []);
    assert.deepEqual(confirm([told('udp', 1194)], [bound('udp', 1194), bound('udp', 1194, '::')]), []);
    assert.equal(confirm([told('udp', 1194, null, [6])], [bound('udp', 1194), bound('udp', 1194, '::')]).length, 1);
  });
});
