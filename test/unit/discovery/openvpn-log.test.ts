import assert from 'node:assert/strict';

import { readLoggedStart } from '../../../sidecar/discovery/openvpn-log.js';

// Recorded from OpenVPN 2.5.1, 2.6.14 and 2.7.8 of Debian; what does not matter is left out.
const START_26 = [
  'OpenVPN 2.6.14 x86_64-pc-linux-gnu [SSL (OpenSSL)] [LZO] [LZ4] [EPOLL] [PKCS11] [MH/PKTINFO] [AEAD] [DCO]',
  'MANAGEMENT: unix domain socket listening on m.sock',
  'TUN/TAP device tun0 opened',
  'net_iface_up: set tun0 up',
  'UDPv4 link local (bound): [AF_INET][undef]:1194',
  'UDPv4 link remote: [AF_UNSPEC]',
  'Initialization Sequence Completed',
];
const RESTART = ['SIGUSR1[hard,] received, process restarting', 'Restart pause, 1 second(s)'];
const TCP6 = [
  'Listening for incoming TCP connection on [AF_INET6][undef]:1194',
  'TCPv6_SERVER link local (bound): [AF_INET6][undef]:1194',
];
const SEVERAL_27 = [
  'OpenVPN 2.7.8 x86_64-pc-linux-gnu [SSL (OpenSSL)] [LZO] [LZ4] [EPOLL] [PKCS11] [MH/PKTINFO] [AEAD] [DCO]',
  'net_iface_new: add tun0 type ovpn',
  'UDPv4 link local (bound): [AF_INET]192.0.2.10:1194',
  'Listening for incoming TCP connection on [AF_INET]192.0.2.11:443',
  'TCPv4_SERVER link local (bound): [AF_INET]192.0.2.11:443',
  'UDPv6 link local (bound): [AF_INET6]2001:db8::10:1196',
  'Initialization Sequence Completed',
];

const udp4 = (address: string | null, port: number): unknown => ({ protocol: 'udp', families: [4], address, port });

describe('readLoggedStart', () => {
  it('reads the socket and the device of a start', () => {
    assert.deepEqual(readLoggedStart(START_26), { sockets: [udp4(null, 1194)], device: 'tun0' });
  });

  it('reads every socket of OpenVPN 2.7 once, and the device that the kernel encrypts on', () => {
    assert.deepEqual(readLoggedStart(SEVERAL_27), {
      sockets: [
        udp4('192.0.2.10', 1194),
        { protocol: 'tcp', families: [4], address: '192.0.2.11', port: 443 },
        { protocol: 'udp', families: [6], address: '2001:db8::10', port: 1196 },
      ],
      device: 'tun0',
    });
  });

  it('takes the latest start alone', () => {
    assert.deepEqual(
      readLoggedStart([...START_26, ...RESTART, 'Preserving previous TUN/TAP instance: tun0', ...TCP6]),
      { sockets: [{ protocol: 'tcp', families: [6], address: null, port: 1194 }], device: 'tun0' },
    );
    assert.deepEqual(
      readLoggedStart([...START_26, ...RESTART]),
      { sockets: [], device: null },
      'what the start before had is closed',
    );
  });

  it('says nothing where the beginning of the start is forgotten: of several sockets the first may be missing', () => {
    assert.equal(readLoggedStart(SEVERAL_27.slice(3)), null);
    assert.equal(readLoggedStart([]), null);
  });

  it('believes no line of a client, and nothing that comes after the start', () => {
    const forged = [
      'client1/203.0.113.2:5 UDPv4 link local (bound): [AF_INET][undef]:22',
      '203.0.113.2:5 Listening for incoming TCP connection on [AF_INET][undef]:22',
      'Listening for incoming TCP connection on [AF_INET][undef]:22',
    ];

    assert.deepEqual(readLoggedStart([...START_26, ...forged]), readLoggedStart(START_26));
    assert.deepEqual(readLoggedStart([...START_26.slice(0, -1), ...forged.slice(0, 2)])?.sockets, [udp4(null, 1194)]);
  });

  it('takes no socket without a port, and none that is not bound', () => {
    assert.deepEqual(
      readLoggedStart([
        ...START_26.slice(0, 3),
        'UDPv4 link local: (not bound)',
        'UDPv4 link local (bound): [AF_INET][undef]:0',
      ])?.sockets,
      [],
    );
  });
});
