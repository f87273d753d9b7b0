import assert from 'node:assert/strict';
import type { BoundSocket } from '../../../sidecar/discovery/sockets.js';
import { parseSocketTable, servedBy, transportsOf } from '../../../sidecar/discovery/sockets.js';

// Recorded on Linux 6.18.
const UDP = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            
  545: 0100007F:14E9 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1248460 2 000000005b09f7d3 0       
12770: 00000000:04AA 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1248456 2 00000000f136769d 0       
`;
const UDP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
11629: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1248459 2 000000004280e0e0 0
12771: 00000000000000000000000000000000:04AB 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1248458 2 000000001fda5f53 0
12772: B80D01200100000000000000050000 00:0000 cut off
12773: B80D0120000001000000000005000000:04AA 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1248461 2 000000001fda5f54 0
`;
const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     
   0: 0100007F:1D51 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1248454 1 000000003bfd7198 100 0 0 10 0                   
   1: 050200C0:01BB 010200C0:C000 01 00000000:00000000 00:00000000 00000000     0        0 1248470 1 000000003bfd7199 100 0 0 10 0                   
`;

const udp = (address: string, port: number, inode = 0): BoundSocket => ({
  protocol: 'udp',
  family: address.includes(':') ? 6 : 4,
  address,
  port,
  inode,
  isConnected: false,
});
const tcp = (address: string, port: number, inode = 0): BoundSocket => ({
  ...udp(address, port, inode),
  protocol: 'tcp',
});

/** As a big-endian machine prints it. */
function turned(text: string): string {
  return text.replaceAll(/\b(?:[0-9A-F]{8}){1,4}(?=:[0-9A-F]{4}\b)/g, (words) =>
    words.replaceAll(/(..)(..)(..)(..)/g, '$4$3$2$1'),
  );
}

describe('parseSocketTable', () => {
  it('reads IPv4 sockets: address, port and inode', () => {
    assert.deepEqual(parseSocketTable(UDP, 'udp', 4, 'LE'), [
      udp('127.0.0.1', 5353, 1_248_460),
      udp('0.0.0.0', 1194, 1_248_456),
    ]);
  });

  it('reads IPv6 sockets, whose words are in the order of the machine', () => {
    assert.deepEqual(parseSocketTable(UDP6, 'udp', 6, 'LE'), [
      udp('::1', 53, 1_248_459),
      udp('::', 1195, 1_248_458),
      udp('2001:db8:1::5', 1194, 1_248_461),
    ]);
  });

  it('reads what a machine of the other byte order prints, such as s390x: words the other way round, ports the same', () => {
    assert.ok(
      turned(UDP).includes(' 7F000001:14E9 ') && turned(UDP6).includes(' 20010DB8000100000000000000000005:04AA '),
    );

    for (const [text, protocol, family] of [
      [UDP, 'udp', 4],
      [UDP6, 'udp', 6],
      [TCP, 'tcp', 4],
    ] as const)
      assert.deepEqual(
        parseSocketTable(turned(text), protocol, family, 'BE'),
        parseSocketTable(text, protocol, family, 'LE'),
      );
  });

  it('takes of TCP only what listens', () => {
    assert.deepEqual(parseSocketTable(TCP, 'tcp', 4, 'LE'), [tcp('127.0.0.1', 7505, 1_248_454)]);
  });

  it('has nothing of a table that is empty, missing or nonsense', () => {
    for (const text of ['', '\n', 'sl local_address\n', 'x\ny\nz', 'sl\n 0: zz:zz\n 1:\n'])
      assert.deepEqual(parseSocketTable(text, 'udp', 4), []);
  });
});

describe('servedBy', () => {
  it('takes what the process holds, and nothing else that is bound', () => {
    const sockets = [udp('0.0.0.0', 1194, 7), udp('0.0.0.0', 53, 8), tcp('192.0.2.5', 443, 7), tcp('0.0.0.0', 22, 9)];

    assert.deepEqual(
      servedBy(new Set([7]), sockets, null).map(({ port }) => port),
      [1194, 443],
    );
    assert.deepEqual(
      servedBy(new Set(), [tcp('0.0.0.0', 22, 9)], null),
      [],
      'a lone socket of another program is its own',
    );
  });

  it('never takes the management interface for a transport, nor a UDP socket that is connected to one peer', () => {
    const sockets = [
      tcp('0.0.0.0', 7505, 7),
      udp('::', 1194, 7),
      { ...udp('192.0.2.5', 40_000, 7), isConnected: true },
    ];

    assert.deepEqual(
      servedBy(new Set([7]), sockets, 7505).map(({ port }) => port),
      [1194],
    );
  });
});

describe('transportsOf', () => {
  it('serves both families by a socket that is bound to ::, and one by any other', () => {
    assert.deepEqual(transportsOf([udp('::', 1194)]), [
      { protocol: 'udp', address: null, families: [4, 6], port: 1194 },
    ]);
    assert.deepEqual(transportsOf([udp('0.0.0.0', 1194)]), [
      { protocol: 'udp', address: null, families: [4], port: 1194 },
    ]);
    assert.deepEqual(transportsOf([udp('2001:db8:1::5', 1194)]), [
      { protocol: 'udp', address: '2001:db8:1::5', families: [6], port: 1194 },
    ]);
  });

  it('says a socket that several processes share once', () => {
    assert.equal(transportsOf([udp('0.0.0.0', 1194, 7), udp('0.0.0.0', 1194, 8)]).length, 1);
  });
});
