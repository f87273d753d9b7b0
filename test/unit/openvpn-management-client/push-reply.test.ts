import assert from 'node:assert/strict';
import {
  Decoder,
  MAX_PUSHED_ROUTES,
  PushReplyReader,
  parseLinkRemote,
  parseRemoteEntry,
  parseStatus1,
  parseStatus3,
} from 'openvpn-management-client';
import { loadTranscript } from '../../transcripts/load.js';

/** Texts of the recorded log, history and notifications alike, in order. */
function logOf(name: string): string[] {
  return new Decoder().push(loadTranscript(name).received).flatMap((message) => {
    if (message.kind === 'log') return [message.text];
    const row = message.kind === 'line' ? /^\d+,[IFNWD]*,(.*)$/.exec(message.text)?.[1] : undefined;
    return row === undefined ? [] : [row];
  });
}

function read(...lines: readonly string[]): PushReplyReader {
  const reader = new PushReplyReader();
  for (const line of lines) reader.push(line);
  return reader;
}

const reply = (...options: readonly string[]): string =>
  `PUSH: Received control message: 'PUSH_REPLY,${options.join(',')}'`;
const routesOf = (reader: PushReplyReader): readonly string[] | undefined =>
  reader.networks?.routes.map(({ cidr }) => cidr);

describe('PushReplyReader', () => {
  it('reads a recorded reply: routes into the tunnel, not those to the net gateway', () => {
    const { networks } = read(...logOf('client-hold'));

    assert.deepEqual(
      networks?.routes.map(({ cidr }) => cidr),
      ['203.0.113.0/25', '203.0.113.200/32', '203.0.113.192/29', '2001:db8:77::/64'],
    );
    assert.deepEqual(networks?.own.map(({ cidr }) => cidr).toSorted(), ['198.51.100.0/24', '2001:db8:8::/64']);
    assert.equal(networks?.redirectsGateway, true);
    assert.equal(networks?.isCut, false);
  });

  it('puts the pieces of a recorded reply together, and leaves out what pull-filter removed', () => {
    const routes = routesOf(read(...logOf('client-late'))) ?? [];

    assert.equal(routes.length, 4 + 2 * 60 - 2);
    assert.ok(
      routes.includes('198.18.0.0/24') && routes.includes('198.18.59.0/24') && routes.includes('2001:db8:703b::/48'),
    );
    assert.deepEqual(
      routes.filter((route) => /^198\.18\.7\.|7007/.test(route)),
      [],
    );
  });

  it('has nothing but its own addresses of a recorded client with route-nopull', () => {
    const { networks } = read(...logOf('client-nopull'));

    assert.deepEqual(networks?.routes, []);
    assert.deepEqual(networks?.own.map(({ cidr }) => cidr).toSorted(), ['198.51.100.0/24', '2001:db8:8::/64']);
    assert.equal(networks?.redirectsGateway, false);
  });

  it('has no reply before one came, and none after a reset', () => {
    const reader = read('Initialization Sequence Completed');
    assert.equal(reader.networks, undefined);
    reader.push(reply('route 10.1.0.0 255.255.0.0'));
    assert.deepEqual(routesOf(reader), ['10.1.0.0/16']);

    reader.reset();

    assert.equal(reader.networks, undefined);
  });

  it('starts again with every reply that does not continue one', () => {
    assert.deepEqual(routesOf(read(reply('route 10.1.0.0 255.255.0.0'), reply('route 10.2.0.0 255.255.0.0'))), [
      '10.2.0.0/16',
    ]);
    assert.deepEqual(
      routesOf(
        read(
          reply('route 10.1.0.0 255.255.0.0', 'push-continuation 2'),
          reply('route 10.2.0.0 255.255.0.0', 'push-continuation 1'),
        ),
      ),
      ['10.1.0.0/16', '10.2.0.0/16'],
    );
  });

  it('takes a route to the pushed gateway for one into the tunnel, and one to another gateway for none', () => {
    const routes = routesOf(
      read(
        reply(
          'route-gateway 10.8.0.1',
          'route 10.1.0.0 255.255.0.0 10.8.0.1',
          'route 10.2.0.0 255.255.0.0 192.0.2.1',
          'route 10.3.0.0 255.255.0.0 vpn_gateway 50',
        ),
      ),
    );

    assert.deepEqual(routes, ['10.1.0.0/16', '10.3.0.0/16']);
  });

  it('knows the peer alone under topology net30', () => {
    assert.deepEqual(
      read(reply('topology net30', 'ifconfig 10.8.0.6 10.8.0.5')).networks?.own.map(({ cidr }) => cidr),
      ['10.8.0.5/32'],
    );
  });

  it('takes hostile options for nothing', () => {
    const nasty = [
      'route',
      'route ',
      'route 10.1.0.0 255.0.255.0',
      'route 10.1.0.0 16',
      'route 999.1.0.0 255.255.0.0',
      'route remote_host 255.255.255.255',
      'route-ipv6 ::/129',
      'route-ipv6 2001:db8::1%eth0',
      'route-ipv6 10.1.0.0/16',
      `route ${'1'.repeat(100_000)}`,
      'ifconfig',
      'ifconfig x y',
      '__proto__',
      'constructor 1',
      "route '10.1.0.0' 255.255.0.0",
      'topology',
      '\u0000route 10.0.0.0 255.0.0.0',
    ];

    const { networks } = read(
      reply(...nasty),
      "PUSH: Received control message: 'PUSH_REPLY",
      "PUSH: Received control message: 'PUSH_REPLYroute 10.9.0.0 255.255.0.0",
      'Options error: option',
    );

    assert.deepEqual([networks?.routes, networks?.own], [[], []]);
  });

  it('keeps no more than its bound, however many pieces come, and says so', () => {
    const reader = new PushReplyReader();
    for (let index = 0; index < 3 * MAX_PUSHED_ROUTES; index += 50) {
      reader.push(
        reply(
          ...Array.from(
            { length: 50 },
            (_, step) => `route 10.${((index + step) >> 8) & 255}.${(index + step) & 255}.0 255.255.255.0`,
          ),
          'push-continuation 2',
        ),
      );
    }

    assert.equal(reader.networks?.routes.length, MAX_PUSHED_ROUTES);
    assert.equal(reader.networks?.isCut, true);
  });
});

describe('parseLinkRemote', () => {
  it('reads what a recorded client said of its server, over UDP and TCP', () => {
    for (const [name, protocol] of [
      ['client-hold', 'udp'],
      ['client-nopull', 'tcp'],
    ] as const) {
      const remotes = logOf(name).flatMap((line) => parseLinkRemote(line) ?? []);
      assert.ok(remotes.length > 0);
      assert.deepEqual(
        [...new Set(remotes.map((remote) => JSON.stringify(remote)))],
        [JSON.stringify({ protocol, address: '192.0.2.1', port: 1194 })],
        name,
      );
    }
  });

  it('reads IPv6, whose port is behind the last colon', () => {
    assert.deepEqual(parseLinkRemote('UDPv6 link remote: [AF_INET6]2001:db8::1:1194'), {
      protocol: 'udp',
      address: '2001:db8::1',
      port: 1194,
    });
    assert.deepEqual(parseLinkRemote('Attempting to establish TCP connection with [AF_INET6]2001:db8:0:0::1:443'), {
      protocol: 'tcp',
      address: '2001:db8::1',
      port: 443,
    });
  });

  it('takes other lines for none', () => {
    for (const line of [
      'UDPv4 link local: (not bound)',
      'UDPv4 link remote: [AF_UNSPEC]',
      'UDPv4 link remote: [AF_INET]192.0.2.1:0',
      'UDPv4 link remote: [AF_INET]192.0.2.1:65536',
      'TCP/UDP: Preserving recently used remote address: [AF_INET]192.0.2.1:1194',
      '',
      'x'.repeat(1_000_000),
    ]) {
      assert.equal(parseLinkRemote(line), undefined, line.slice(0, 80));
    }
  });
});

describe('parseRemoteEntry', () => {
  it('reads rows with an address, and leaves out names', () => {
    assert.deepEqual(parseRemoteEntry('0,192.0.2.1,1194,udp4,enabled'), {
      protocol: 'udp',
      address: '192.0.2.1',
      port: 1194,
    });
    assert.deepEqual(parseRemoteEntry('3,2001:db8::1,443,tcp6-client,disabled'), {
      protocol: 'tcp',
      address: '2001:db8::1',
      port: 443,
    });
    for (const row of [
      '0,vpn.example,1194,udp,enabled',
      '0,192.0.2.1,0,udp,enabled',
      '0,192.0.2.1,1194,sctp,enabled',
      'x',
      '',
    ])
      assert.equal(parseRemoteEntry(row), undefined, row);
  });
});

describe('status', () => {
  it('tells a recorded client from a server, in either form', () => {
    const rows = ['OpenVPN STATISTICS', 'Updated,2026-01-01 00:00:00', 'TUN/TAP read bytes,0'];

    assert.equal(parseStatus3(rows).daemonMode, 'client');
    assert.equal(parseStatus1(rows).daemonMode, 'client');
    assert.equal(parseStatus3(['TITLE\tOpenVPN 2.6.14']).daemonMode, 'server');
    assert.equal(
      parseStatus1([
        'OpenVPN CLIENT LIST',
        'Common Name,Real Address,Bytes Received,Bytes Sent,Connected Since',
        'OpenVPN STATISTICS,192.0.2.1:1,1,1,x',
      ]).daemonMode,
      'server',
    );
  });
});
