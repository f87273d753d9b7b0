import assert from 'node:assert/strict';
import { Decoder, isManagementError, parseStatus1, parseStatus3 } from 'openvpn-management-client';
import { loadTranscript } from '../../transcripts/load.js';

const CLIENT_HEADER =
  'HEADER\tCLIENT_LIST\tCommon Name\tReal Address\tVirtual Address\tVirtual IPv6 Address\tBytes Received\tBytes Sent\tConnected Since\tConnected Since (time_t)\tUsername\tClient ID\tPeer ID\tData Channel Cipher';
const ROUTE_HEADER = 'HEADER\tROUTING_TABLE\tVirtual Address\tCommon Name\tReal Address\tLast Ref\tLast Ref (time_t)';
const client = (name: string, real: string, ipv4: string, ipv6: string, cid: string): string =>
  `CLIENT_LIST\t${name}\t${real}\t${ipv4}\t${ipv6}\t10\t20\t2026-01-01 00:00:00\t1767225600\tUNDEF\t${cid}\t0\tAES-256-GCM`;
const route = (address: string, name: string, real: string): string =>
  `ROUTING_TABLE\t${address}\t${name}\t${real}\t2026-01-01 00:00:00\t1767225600`;

/** The rows of every whole table in a recording that begins with a row of this text. */
function tables(transcript: string, first: string): string[][] {
  const found: string[][] = [];
  let open: string[] | undefined;
  for (const message of new Decoder().push(loadTranscript(transcript).received)) {
    if (message.kind === 'line' && message.text.startsWith(first)) open = [];
    if (message.kind === 'line') open?.push(message.text);
    if (message.kind === 'end' && open !== undefined) found.push(open);
    if (message.kind !== 'line') open = undefined;
  }
  return found;
}

describe('status 3', () => {
  it('reads a recorded client with its addresses and the subnets behind it', () => {
    const snapshot = parseStatus3(
      tables('client-auth', 'TITLE').find((rows) => rows.some((line) => line.startsWith('CLIENT_LIST'))) ?? [],
    );

    assert.match(snapshot.title, /^OpenVPN 2\.6\.14 /);
    assert.equal(snapshot.isDcoEnabled, false);
    assert.equal(snapshot.clients.length, 1);
    const [site] = snapshot.clients;
    assert.equal(site?.cid, '0');
    assert.equal(site?.commonName, 'site');
    assert.equal(site?.username, 'alice');
    assert.equal(site?.realAddress?.address, '192.0.2.10');
    assert.deepEqual(
      site?.addresses.map(({ cidr }) => cidr),
      ['198.51.100.2/32', '2001:db8:8::1000/128'],
    );
    assert.deepEqual(site?.subnets.map(({ cidr }) => cidr).toSorted(), [
      '2001:db8:77::/64',
      '203.0.113.0/25',
      '203.0.113.128/26',
    ]);
    assert.equal(site?.hasAddress, true);
    assert.deepEqual(snapshot.unassignedRoutes, []);
  });

  it('reads recorded real addresses of IPv6, which have no port', () => {
    const [snapshot] = tables('ipv6-transport', 'TITLE').map((rows) => parseStatus3(rows));

    assert.deepEqual(
      snapshot?.clients.map(({ realAddress }) => [realAddress?.address, realAddress?.port]),
      [
        ['2001:db8:1::10', undefined],
        ['2001:db8:2::10', undefined],
      ],
    );
    assert.deepEqual(snapshot?.unassignedRoutes, []);
  });

  it('marks recorded half-open clients', () => {
    const [snapshot] = tables('reject', 'TITLE').map((rows) => parseStatus3(rows));

    assert.ok((snapshot?.clients.length ?? 0) > 0);
    assert.ok(snapshot?.clients.every(({ hasAddress, addresses }) => !hasAddress && addresses.length === 0));
  });

  it('finds columns by their names, in whatever order', () => {
    const snapshot = parseStatus3([
      'HEADER\tCLIENT_LIST\tClient ID\tNew Column\tVirtual Address\tCommon Name\tReal Address',
      'CLIENT_LIST\t7\tx\t10.8.0.2\talice\tudp4:192.0.2.1:5',
      ROUTE_HEADER,
    ]);

    assert.deepEqual(
      snapshot.clients.map(({ cid, commonName, addresses, realAddress }) => [
        cid,
        commonName,
        addresses[0]?.cidr,
        realAddress?.port,
      ]),
      [['7', 'alice', '10.8.0.2/32', 5]],
    );
  });

  it('takes routes with C for cached, and MAC addresses for no address', () => {
    const snapshot = parseStatus3([
      CLIENT_HEADER,
      client('a', '192.0.2.1:5', '10.8.0.2', '', '0'),
      ROUTE_HEADER,
      route('192.168.100.0/24', 'a', '192.0.2.1:5'),
      route('192.168.100.110C', 'a', '192.0.2.1:5'),
      route('da:d6:61:1e:21:ec@0', 'a', '192.0.2.1:5'),
      route('fd00::c', 'a', '192.0.2.1:5'),
    ]);

    assert.deepEqual(
      snapshot.clients[0]?.subnets.map(({ cidr }) => cidr),
      ['192.168.100.0/24', 'fd00::c/128'],
    );
    assert.deepEqual(
      snapshot.routes.map(({ isCached, mac }) => [isCached, mac]),
      [
        [false, undefined],
        [true, undefined],
        [false, 'da:d6:61:1e:21:ec'],
        [false, undefined],
      ],
    );
  });

  it('gives routes to nobody where two clients look the same', () => {
    const snapshot = parseStatus3([
      CLIENT_HEADER,
      client('twin', '2001:db8::1', '10.8.0.2', '', '0'),
      client('twin', '2001:db8::1', '10.8.0.3', '', '1'),
      ROUTE_HEADER,
      route('192.168.1.0/24', 'twin', '2001:db8::1'),
    ]);

    assert.deepEqual(
      snapshot.clients.map(({ subnets }) => subnets),
      [[], []],
    );
    assert.equal(snapshot.unassignedRoutes.length, 1);
  });

  it('keeps names with commas, and counters beyond 2^53', () => {
    const row = client('x, y', '192.0.2.1:5', '10.8.0.2', '', '0').replace('\t10\t20\t', '\t9007199254740993\t20\t');

    const [first] = parseStatus3([CLIENT_HEADER, row, ROUTE_HEADER]).clients;

    assert.equal(first?.commonName, 'x, y');
    assert.equal(first?.bytesReceived, 9007199254740993n);
  });

  it('takes columns that a row does not have for empty', () => {
    const { clients } = parseStatus3([
      CLIENT_HEADER,
      'CLIENT_LIST\talice\t192.0.2.1:5\t10.8.0.2',
      ROUTE_HEADER,
      'ROUTING_TABLE',
    ]);

    assert.deepEqual(
      clients.map(({ cid, commonName, username, peerId, bytesSent, hasAddress }) => [
        cid,
        commonName,
        username,
        peerId,
        bytesSent,
        hasAddress,
      ]),
      [[undefined, 'alice', undefined, undefined, 0n, true]],
    );
  });

  it('has one object for the address of a client and of its route', () => {
    const { clients, routes } = parseStatus3([
      CLIENT_HEADER,
      client('a', '192.0.2.1:5', '10.8.0.2', 'fd00::2', '0'),
      ROUTE_HEADER,
      route('fd00::2', 'a', '192.0.2.1:5'),
    ]);

    assert.ok(routes[0]?.address !== undefined);
    assert.equal(routes[0].address, clients[0]?.addresses[1]);
  });

  it('tells clients behind one real address apart by their names', () => {
    const rows = ['a', 'b', 'c', 'c'].map((name, index) =>
      client(name, '2001:db8::1', `10.8.0.${index + 2}`, '', String(index)),
    );
    const snapshot = parseStatus3([
      CLIENT_HEADER,
      ...rows,
      ROUTE_HEADER,
      ...['a', 'b', 'c'].map((name, index) => route(`192.168.${index}.0/24`, name, '2001:db8::1')),
    ]);

    assert.deepEqual(
      snapshot.clients.map(({ subnets }) => subnets.map(({ cidr }) => cidr)),
      [['192.168.0.0/24'], ['192.168.1.0/24'], [], []],
    );
    assert.deepEqual(
      snapshot.unassignedRoutes.map(({ address }) => address?.cidr),
      ['192.168.2.0/24'],
    );
  });

  it('refuses rows without their header', () => {
    assert.throws(
      () => parseStatus3([client('a', '192.0.2.1:5', '10.8.0.2', '', '0')]),
      (error) => isManagementError(error, 'MGMT_PROTOCOL'),
    );
  });
});

describe('status 1', () => {
  it('reads a recorded table that status 3 broke off, host routes as the clients own', () => {
    const [snapshot] = tables('broken-status', 'OpenVPN CLIENT LIST').map((rows) => parseStatus1(rows));

    assert.deepEqual(
      snapshot?.clients.map(({ cid, commonName, addresses }) => [
        cid,
        commonName,
        addresses.map(({ cidr }) => cidr).toSorted(),
      ]),
      [
        [undefined, 'plain', ['198.51.100.2/32', '2001:db8:8::1000/128']],
        [undefined, 'nasty', ['198.51.100.3/32', '2001:db8:8::1001/128']],
      ],
    );
  });

  it('reads names with commas, and names that look like headings', () => {
    const snapshot = parseStatus1([
      'OpenVPN CLIENT LIST',
      'Updated,2026-01-01 00:00:00',
      'Common Name,Real Address,Bytes Received,Bytes Sent,Connected Since',
      'a, b,192.0.2.1:5,10,20,2026-01-01 00:00:00',
      'END,192.0.2.2:5,10,20,2026-01-01 00:00:00',
      'ROUTING TABLE',
      'Virtual Address,Common Name,Real Address,Last Ref',
      '10.8.0.2,a, b,192.0.2.1:5,2026-01-01 00:00:00',
      'GLOBAL STATS',
      'Max bcast/mcast queue length,0',
    ]);

    assert.deepEqual(
      snapshot.clients.map(({ commonName, addresses }) => [commonName, addresses.length]),
      [
        ['a, b', 1],
        ['END', 0],
      ],
    );
  });
});
