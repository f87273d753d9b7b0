import assert from 'node:assert/strict';

import { formatDuration } from '../../../sidecar/cli/duration.js';
import { hasNetAdmin, requireNetAdmin } from '../../../sidecar/cli/privilege.js';
import { clientsAndNetworksView, clientsView, gatewaysView, statusView } from '../../../sidecar/cli/status-views.js';
import { formatTable } from '../../../sidecar/cli/table.js';
import type { StatusDocument } from '../../../sidecar/status.js';

const PLAIN = { hasColours: false, nowMs: Date.parse('2025-01-02T00:00:00Z') };

const DOCUMENT: StatusDocument = {
  version: '1.2.3',
  datapath: 'nexthop',
  firewall: 'nftables',
  ready: false,
  problems: ['unix:/run/b: connection refused'],
  servers: [
    {
      management: 'unix:/run/a',
      state: 'ready',
      device: 'tun0',
      transport: [
        { protocol: 'udp', address: '0.0.0.0', port: 1194 },
        { protocol: 'tcp', address: '::', port: 443 },
      ],
      transportSource: 'log',
      role: 'server',
      reconnects: 1,
      resyncs: 0,
    },
    { management: 'unix:/run/b', state: 'connecting', device: null, transport: [], reconnects: 1, resyncs: 1 },
  ],
  clients: [
    {
      cid: '0',
      epoch: 1,
      commonName: 'alice',
      realAddress: '192.0.2.7:4711',
      addresses: ['10.8.0.2', '192.168.9.0/24'],
      since: '2025-01-01T21:57:30Z',
    },
    {
      cid: '12',
      epoch: 1,
      commonName: 'evil\u001b[31m',
      realAddress: null,
      addresses: [],
      since: '2025-01-01T23:59:59Z',
    },
  ],
  gateways: [
    {
      id: 1,
      device: 'lan0',
      mac: '02:00:00:00:00:01',
      addresses: ['10.0.0.1', 'fe80::1'],
      state: 'active',
      received: { packets: 12, bytes: 900 },
      sent: { packets: 7, bytes: 700 },
      learnedFlows: null,
      moves: 0,
      idleMs: null,
    },
    {
      id: 12,
      device: 'lan0',
      mac: '02:00:00:00:00:02',
      addresses: [],
      state: 'moved',
      received: null,
      sent: null,
      learnedFlows: 3,
      moves: 2,
      idleMs: 40,
    },
  ],
  uplink: 1,
  startedAt: '2025-01-01T21:00:00Z',
  repairs: { firewall: 1, routing: 0 },
  fallThrough: { learn_unknown_mac: 0, return_no_gateway: 5 },
  moduleCounters: null,
  elements: 2,
  markMask: 0xff00_0000,
  networkNamespace: null,
};

/** Beside a client alone. */
const CLIENT: StatusDocument = {
  ...DOCUMENT,
  servers: [
    {
      management: 'unix:/run/c',
      state: 'ready',
      device: 'tun1',
      transport: [],
      reconnects: 0,
      resyncs: 0,
      role: 'client',
      epoch: 2,
      remote: { protocol: 'udp', address: '2001:db8::1', port: 1194 },
      networks: ['10.1.0.0/16', 'fd00::/8'],
    },
  ],
  clients: [],
};

describe('views of the status', () => {
  it('show the sockets where other programs attach', () => {
    const [server, ...others] = DOCUMENT.servers;
    assert.ok(server !== undefined);
    const socket = { isOpen: true, problem: null, programs: 2, dropped: 1, answersLogins: true };
    const passThrough = [
      { ...socket, socket: 'unix:/run/gwmark/a.sock' },
      {
        ...socket,
        socket: 'tcp:127.0.0.1:7506',
        isOpen: false,
        problem: 'another program answers there',
        programs: 0,
      },
    ];

    const view = statusView({ ...DOCUMENT, servers: [{ ...server, passThrough }, ...others] }, PLAIN);

    assert.match(view, /PASS-THROUGH +OPENVPN +STATE +PROGRAMS +ANSWERS LOGINS +DROPPED\n/);
    assert.match(view, /unix:\/run\/gwmark\/a\.sock +unix:\/run\/a +open +2 +yes +1\n/);
    assert.match(view, /tcp:127\.0\.0\.1:7506 +unix:\/run\/a +another program answers there +0 /);
    assert.doesNotMatch(statusView(DOCUMENT, PLAIN), /PASS-THROUGH/);
  });

  it('show where a client sends to, and where its tunnel leads to', () => {
    assert.match(statusView(CLIENT, PLAIN), /unix:\/run\/c  client  ready  tun1    udp to \[2001:db8::1\]:1194  -\n/);
    assert.equal(
      clientsAndNetworksView(CLIENT, PLAIN),
      'OPENVPN CLIENT  DEVICE  NETWORKS\nunix:/run/c     tun1    10.1.0.0/16 fd00::/8\n',
    );
    assert.equal(clientsAndNetworksView(DOCUMENT, PLAIN), clientsView(DOCUMENT.clients, PLAIN));
    assert.equal(
      clientsAndNetworksView({ ...DOCUMENT, servers: [...DOCUMENT.servers, ...CLIENT.servers] }, PLAIN),
      `${clientsView(DOCUMENT.clients, PLAIN)}\n${clientsAndNetworksView(CLIENT, PLAIN)}`,
    );
  });

  it('show the summary, the servers and the problems', () => {
    assert.equal(
      statusView(DOCUMENT, PLAIN),
      [
        'gwmark 1.2.3, datapath nexthop, nftables: not ready',
        '2 clients, 2 gateways, uplink 1 (02:00:00:00:00:01 on lan0)',
        'in 3h: 2 reconnects, 1 resync, 1 repair',
        'took the normal route: return_no_gateway 5',
        '',
        'OPENVPN      ROLE    STATE       DEVICE  TRANSPORT                       TOLD BY',
        'unix:/run/a  server  ready       tun0    udp 0.0.0.0:1194, tcp [::]:443  log',
        'unix:/run/b  -       connecting  -       -                               -',
        '',
        'problems:',
        '  ! unix:/run/b: connection refused',
        '',
      ].join('\n'),
    );
  });

  it('list clients with what a hostile name holds made visible', () => {
    assert.equal(
      clientsView(DOCUMENT.clients, PLAIN),
      [
        'NAME            ADDRESSES                REAL ADDRESS    CONNECTED  CID  EPOCH',
        'alice           10.8.0.2 192.168.9.0/24  192.0.2.7:4711  2h 2m      0    1',
        'evil\\u001b[31m  -                        -               1s         12   1',
        '',
      ].join('\n'),
    );
  });

  it('list gateways and mark the uplink', () => {
    assert.equal(
      gatewaysView(DOCUMENT.gateways, DOCUMENT.uplink, PLAIN),
      [
        'ID  DEVICE  MAC                STATE   UPLINK  RECEIVED  SENT  FLOWS  MOVES  ADDRESSES',
        '1   lan0    02:00:00:00:00:01  active  yes     12        7     -      0      10.0.0.1 fe80::1',
        '12  lan0    02:00:00:00:00:02  moved   no      -         -     3      2      -',
        '',
      ].join('\n'),
    );
  });

  it('say in a sentence that there is nothing', () => {
    const empty = statusView(
      {
        ...DOCUMENT,
        ready: true,
        problems: [],
        servers: [],
        clients: [],
        gateways: [],
        uplink: null,
        fallThrough: {},
        repairs: { firewall: 0, routing: 0 },
      },
      PLAIN,
    );

    assert.equal(
      empty,
      'gwmark 1.2.3, datapath nexthop, nftables: ready\n0 clients, 0 gateways, no uplink learnt yet\nin 3h: 0 reconnects, 0 resyncs, 0 repairs\n\nno OpenVPN server is configured\n',
    );
    assert.equal(clientsView([], PLAIN), 'no client is connected\n');
    assert.equal(
      gatewaysView([], null, PLAIN),
      'no gateway is known yet; gwmark learns one when a router sends something to this endpoint\n',
    );
  });

  it('align the same in colours', () => {
    const coloured = statusView(DOCUMENT, { ...PLAIN, hasColours: true });

    assert.ok(coloured.includes('\u001b[32mready\u001b[39m'));
    // oxlint-disable-next-line no-control-regex -- the colours are taken out again
    assert.equal(coloured.replaceAll(/\u001b\[\d+m/g, ''), statusView(DOCUMENT, PLAIN));
  });

  it('align names of wide characters by the columns that they take', () => {
    assert.equal(
      formatTable(
        ['A', 'B'],
        [
          ['山田', 'x'],
          ['abcde', 'y'],
        ],
        false,
      ),
      'A      B\n山田   x\nabcde  y\n',
    );
  });
});

describe('formatDuration', () => {
  for (const [milliseconds, shown] of [
    [0, '0s'],
    [999, '0s'],
    [-5000, '0s'],
    [59_999, '59s'],
    [60_000, '1m'],
    [200_000, '3m 20s'],
    [3_600_000, '1h'],
    [3_605_000, '1h'],
    [187_200_000, '2d 4h'],
  ] as const) {
    it(`shows ${milliseconds} ms as ${shown}`, () => {
      assert.equal(formatDuration(milliseconds), shown);
    });
  }
});

describe('CAP_NET_ADMIN', () => {
  it('is bit 12 of the effective capabilities', () => {
    assert.equal(hasNetAdmin('Name:\tnode\nCapEff:\t0000000000001000\n'), true);
    assert.equal(hasNetAdmin('CapEff:\t000001ffffffffff\n'), true);
    assert.equal(hasNetAdmin('CapPrm:\t0000000000001000\nCapEff:\t000001ffffffefff\n'), false);
    assert.equal(hasNetAdmin('CapEff:\t0000000000000000'), false);
    assert.equal(hasNetAdmin('nothing'), undefined);
  });

  it('is asked for by name, with the ways to get it', () => {
    assert.throws(() => requireNetAdmin('run', 'CapEff:\t0000000000000000'), {
      code: 'NOT_PRIVILEGED',
      exitCode: 1,
      message: /^"gwmark run" needs CAP_NET_ADMIN .*--cap-add NET_ADMIN/,
    });
    requireNetAdmin('run', undefined);
  });
});
