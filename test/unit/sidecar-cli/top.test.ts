import assert from 'node:assert/strict';

import type { Key } from '../../../sidecar/cli/keys.js';
import { cutLine, paint } from '../../../sidecar/cli/table.js';
import { nounOf } from '../../../sidecar/live/connected.js';
import { Measure, type Measured } from '../../../sidecar/live/measure.js';
import { sortedClients } from '../../../sidecar/cli/top/order.js';
import { afterKey, beginTop, type TopState } from '../../../sidecar/cli/top/top-state.js';
import { topScreen } from '../../../sidecar/cli/top/top-view.js';
import { formatBytes } from '../../../sidecar/live/format-bytes.js';
import type { ClientStatus, StatusDocument } from '../../../sidecar/status.js';
import { READY } from '../../protocol/sidecar-control/status-document.js';

const START_MS = Date.parse('2026-01-01T00:00:00.000Z');

function client(cid: string, more: Partial<ClientStatus> = {}): ClientStatus {
  return {
    cid,
    epoch: 0,
    commonName: `client${cid}`,
    realAddress: `192.0.2.${cid}:1194`,
    addresses: [`10.8.0.${cid}`],
    since: '2026-01-01T00:00:00.000Z',
    ...more,
  };
}

/** Bytes counted some seconds after the start. */
function counted(seconds: number, received: number, sent = 0): Partial<ClientStatus> {
  return { traffic: { received, sent, at: new Date(START_MS + seconds * 1000).toISOString() } };
}

function measured(...documents: readonly Partial<StatusDocument>[]): Measured {
  const measure = new Measure();
  const looks = documents.map((parts, index) =>
    measure.take({ atMs: START_MS + index * 1000, document: { ...READY, ...parts } }),
  );
  return looks.at(-1) ?? assert.fail('no look');
}

/** A client of each of two servers, of one CID, and what they count. */
function twoServers(seconds: number, one: number, two: number): Partial<StatusDocument> {
  return {
    clients: [
      client('1', { ...counted(seconds, one), management: 'unix:/a' }),
      client('1', { ...counted(seconds, two), management: 'unix:/b' }),
    ],
  };
}

function key(name: string, text = name): Key {
  return { name, isCtrl: false, text };
}

function type(state: TopState, ...keys: readonly Key[]): TopState {
  const extent = { pages: { clients: 10, gateways: 2 }, counts: { clients: 25, gateways: 3 } };
  return keys.reduce((now, pressed) => afterKey(now, pressed, extent), state);
}

const START = beginTop('rate', false, '');
const PLAIN = { hasColours: false, nowMs: START_MS + 5000, fault: null };

/** A connected peer, a silent one and a tunnel beside a client. */
const OTHER_VPNS: Partial<StatusDocument> = {
  clients: [client('1')],
  sources: (['wireguard', 'tunnel'] as const).map((kind) => ({
    kind,
    name: kind === 'tunnel' ? 'tun5' : 'wg0',
    state: 'ready',
    transport: [],
    transportSource: null,
    networks: ['10.9.0.0/16'],
  })),
  peers: [true, false].map((isConnected) => ({
    source: 'wg0',
    name: isConnected ? 'KEY1' : 'KEY2',
    isConnected,
    realAddress: '192.0.2.9:51820',
    addresses: ['10.7.0.2'],
    since: isConnected ? '2026-01-01T00:00:00.000Z' : null,
    lastHandshake: null,
    traffic: { received: 5, sent: 7, at: '2026-01-01T00:00:00.000Z' },
  })),
};

describe('rates', () => {
  it('shows the peers that are connected, and tunnels of other programs, beside the clients', () => {
    const { lines } = topScreen(measured(OTHER_VPNS), START, { rows: 30, columns: 200 }, PLAIN);

    assert.match(lines[0] ?? '', / {2}1 clients {2}1 peer {2}/);
    const names = lines.flatMap((line) => /^(client1|KEY.|tun5) /.exec(line)?.[1] ?? []);
    assert.deepEqual(new Set(names), new Set(['KEY1', 'client1', 'tun5']));
    const nouns = measured(OTHER_VPNS).clients.map(({ client: row }) => nounOf(row));
    assert.deepEqual(nouns, ['client', 'peer', 'tunnel']);
  });

  it('of a client are what OpenVPN counted, by the time between two counts', () => {
    const { clients } = measured(
      { clients: [client('1', counted(0, 1000, 500))] },
      { clients: [client('1', counted(2, 5000, 700))] },
    );

    assert.deepEqual(clients[0]?.rate, { received: 2000, sent: 100 });
  });

  it('stay until there is another count', () => {
    const { clients } = measured(
      { clients: [client('1', counted(0, 1000))] },
      { clients: [client('1', counted(2, 5000))] },
      { clients: [client('1', counted(2, 5000))] },
    );

    assert.equal(clients[0]?.rate.received, 2000);
  });

  it('are unknown after one count, after a counter that began again, and where nothing is counted', () => {
    const [first] = measured({ clients: [client('1', counted(0, 1000))] }).clients;
    const [again] = measured(
      { clients: [client('1', counted(0, 1000, 3))] },
      { clients: [client('1', counted(1, 10, 4))] },
    ).clients;
    const [never] = measured({ clients: [client('1')] }, { clients: [client('1')] }).clients;

    assert.deepEqual(
      [first?.rate, again?.rate, never?.rate],
      [
        { received: null, sent: null },
        { received: null, sent: 1 },
        { received: null, sent: null },
      ],
    );
  });

  it('of clients of two servers with the same CID are told apart', () => {
    assert.deepEqual(
      measured(twoServers(0, 0, 0), twoServers(1, 10, 2000)).clients.map(({ rate }) => rate.received),
      [10, 2000],
    );
  });

  it('of gateways and of packets that took the normal route go by the time of the look', () => {
    const [gateway] = READY.gateways;
    assert.ok(gateway !== undefined);
    const { gateways, reasons } = measured(
      { fallThrough: { no_gateway: 1 } },
      {
        fallThrough: { no_gateway: 4 },
        gateways: [{ ...gateway, received: { packets: 9, bytes: 900 }, sent: { packets: 9, bytes: 300 } }],
      },
    );

    assert.deepEqual(gateways[0]?.rate, { received: 600, sent: 100 });
    assert.deepEqual(reasons, [{ reason: 'no_gateway', packets: 4, perSecond: 3 }]);
  });
});

describe('the order of top', () => {
  const { clients } = measured(
    { clients: ['1', '2', '10'].map((cid) => client(cid, counted(0, 0))) },
    {
      clients: [
        client('10', { ...counted(1, 50, 3), since: '2026-01-01T00:00:02.000Z' }),
        client('2', { ...counted(1, 9000, 1), since: '2026-01-01T00:00:01.000Z' }),
        client('1', { since: '2026-01-01T00:00:03.000Z' }),
      ],
    },
  );
  const names = (order: Parameters<typeof sortedClients>[1], isReversed = false, filter = ''): string =>
    sortedClients(clients, order, isReversed, filter)
      .map(({ client: { cid } }) => cid)
      .join(' ');

  it('is the fastest, the most bytes, the longest connected, or the name by its numbers', () => {
    assert.deepEqual(
      (['rate', 'received', 'sent', 'connected', 'name'] as const).map((order) => names(order)),
      ['2 10 1', '2 10 1', '10 2 1', '2 10 1', '1 2 10'],
    );
    assert.equal(names('name', true), '10 2 1');
  });

  it('leaves out who has the text of the filter in no name and no address', () => {
    assert.deepEqual([names('name', false, 'CLIENT1'), names('name', false, '192.0.2.2:')], ['1 10', '2']);
  });
});

describe('the keys of top', () => {
  it('scroll no further than the last page', () => {
    assert.deepEqual(
      [
        type(START, key('down')),
        type(START, key('pagedown', ''), key('pagedown', '')),
        type(START, key('end', '')),
        type(START, key('end', ''), key('pageup', ''), key('up', '')),
        type(START, key('up')),
        type(START, key('g', 'G'), key('g')),
      ].map(({ offsets }) => offsets.clients),
      [1, 15, 15, 4, 0, 0],
    );
  });

  it('write a filter after /, in which no key means anything else', () => {
    const state = type(START, key('/'), key('s'), key('space', ' '), key('tab', ''), key('ä'), key('up', ''));

    assert.deepEqual([state.filters.clients, state.order, state.isTyping], ['s ä', 'rate', true]);
    assert.equal(type(state, key('backspace', '')).filters.clients, 's ');
    assert.deepEqual(
      [type(state, key('return', '')).isTyping, type(state, key('escape', '')).filters.clients],
      [false, ''],
    );
  });

  it('that mean nothing change nothing', () => {
    assert.equal(type(START, key('f5', '')), START);
    assert.equal(type(START, key('left', '')), START);
  });
});

describe('the screen of top', () => {
  const many = measured({
    clients: Array.from({ length: 500 }, (_, index) => client(String(index + 1))),
    problems: ['OpenVPN does not answer'],
    ready: false,
  });

  for (const rows of [1, 2, 5, 8, 13, 14, 24, 60])
    for (const columns of [1, 20, 80, 200])
      it(`has ${rows} rows of ${columns} columns at most`, () => {
        for (const state of [START, type(START, key('tab', '')), type(START, key('h'))]) {
          const { lines } = topScreen(many, state, { rows, columns }, PLAIN);

          assert.equal(lines.length, rows);
          assert.deepEqual(
            lines.filter((line) => line.length > columns),
            [],
          );
        }
      });

  it('shows the last page to who scrolled beyond it, after rows went', () => {
    const state = { ...START, offsets: { clients: 490, gateways: 0 } };
    const { lines } = topScreen(measured({ clients: [client('1')] }), state, { rows: 24, columns: 200 }, PLAIN);

    assert.ok(lines.some((line) => line.startsWith('client1 ')));
  });

  it('names a problem, and that the sidecar is gone before that', () => {
    const size = { rows: 24, columns: 200 };

    assert.equal(topScreen(many, START, size, PLAIN).lines[1], 'OpenVPN does not answer');
    assert.equal(
      topScreen(many, START, size, { ...PLAIN, fault: 'it has ended' }).lines[1],
      'it has ended; shown: 5s ago',
    );
  });

  it('names the reasons for which packets take the normal route now', () => {
    const now = measured({ fallThrough: { a: 1, b: 1 } }, { fallThrough: { a: 1, b: 5 } });

    assert.equal(topScreen(now, START, { rows: 24, columns: 200 }, PLAIN).lines[1], 'took the normal route: b 4/s');
  });

  it('shows no control characters of a name', () => {
    const evil = measured({ clients: [client('1', { commonName: 'a\u001b[2Jb' })] });
    const state = { ...START, filters: { clients: '\u001b', gateways: '' } };

    for (const shown of [START, state])
      assert.ok(!topScreen(evil, shown, { rows: 24, columns: 200 }, PLAIN).lines.join('').includes('\u001b'));
  });
});

describe('formatBytes', () => {
  it('has three digits at most', () => {
    assert.deepEqual(
      [0, 999, 999.4, 999.6, 1000, 9994, 9996, 99_940, 99_960, 999_400, 999_600, 1.5e9, 1e18].map(formatBytes),
      [
        '0 B',
        '999 B',
        '999 B',
        '1.00 kB',
        '1.00 kB',
        '9.99 kB',
        '10.0 kB',
        '99.9 kB',
        '100 kB',
        '999 kB',
        '1.00 MB',
        '1.50 GB',
        '1000 PB',
      ],
    );
  });
});

describe('cutLine', () => {
  it('counts columns, and neither colours nor halves of a wide character', () => {
    const line = `${paint('ready', 'green', true)} 日本`;

    assert.equal(cutLine(line, 100), line);
    assert.equal(cutLine(line, 3), paint('rea', 'green', true));
    assert.equal(cutLine(line, 8), `${paint('ready', 'green', true)} 日`);
    assert.equal(cutLine(line, 9), `${paint('ready', 'green', true)} 日`);
  });
});
