import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';

import { Measure, type Measured } from '../../../sidecar/live/measure.js';
import type { ClientStatus, GatewayStatus, StatusDocument } from '../../../sidecar/status.js';
import type { Flow, FlowSource } from '../../../sidecar/flows/flow.js';
import { refuseHost, refuseToken } from '../../../sidecar/web/access.js';
import { readFlowPage } from '../../../sidecar/web/flow-page.js';
import { happeningsBetween } from '../../../web/events.js';
import { FOLD, MAX_CLIENTS, topologyOf } from '../../../web/topology.js';
import { typeCommand } from '../../lab/typed-command.js';
import { READY } from '../../protocol/sidecar-control/status-document.js';
import { TemporaryDirectory } from '../../protocol/sidecar-control/temporary-directory.js';

const RULES = { token: 'correct horse battery', hosts: ['vpn.example.net'] };
const [CLIENT] = READY.clients;
const [GATEWAY] = READY.gateways;

function client(cid: number, bytesAt: readonly [second: number, bytes: number] = [0, 0]): ClientStatus {
  assert.ok(CLIENT !== undefined);
  const [second, bytes] = bytesAt;
  const at = new Date(second * 1000).toISOString();
  const addresses = [`10.8.${Math.floor(cid / 250)}.${(cid % 250) + 1}`];
  return { ...CLIENT, cid: String(cid), commonName: `c${cid}`, addresses, traffic: { received: bytes, sent: 0, at } };
}

function gateway(id: number, more: Partial<GatewayStatus> = {}): GatewayStatus {
  assert.ok(GATEWAY !== undefined);
  return { ...GATEWAY, id, mac: `02:00:00:00:00:0${id}`, ...more };
}

function measuredOf(...documents: readonly Partial<StatusDocument>[]): readonly Measured[] {
  const measure = new Measure();
  return documents.map((parts, second) => measure.take({ atMs: second * 1000, document: { ...READY, ...parts } }));
}

function flow(source: string, destination: string, gatewayId: number, bytes: number | null): Flow {
  const counted = bytes === null ? null : { packets: 1, bytes };
  const tuple = { sourcePort: 1, destinationPort: 2, counted };
  return {
    family: 4,
    protocol: 'udp',
    original: { source, destination, ...tuple },
    reply: { source: destination, destination: source, ...tuple },
    gateway: gatewayId,
    destinationGateway: 0,
  };
}

function sourceOf(flows: readonly Flow[]): FlowSource {
  return {
    datapath: 'nexthop',
    isSidecarRunning: true,
    gateways: new Map(),
    async *flows() {
      yield* flows;
    },
  };
}

describe('access to gwmark web', () => {
  it('is by localhost, by an IP address, or by a name that was allowed: another name may be a rebinding', () => {
    const refused = [undefined, '', 'evil.example:8119', 'localhost.evil.example', '127.0.0.1.evil.example', '[evil]'];
    const allowed = ['localhost:8119', 'LOCALHOST', '127.0.0.1:8119', '[::1]:8119', 'VPN.example.net:443'];

    assert.deepEqual(
      refused.map((host) => refuseHost(host, RULES)?.status),
      refused.map(() => 421),
    );
    assert.deepEqual(
      allowed.map((host) => refuseHost(host, RULES)),
      allowed.map(() => null),
    );
    assert.equal(refuseHost('anything', { ...RULES, hosts: null }), null);
  });

  it('is for who has the token', () => {
    const wrong = ['', 'Bearer ', 'Bearer wrong', 'Basic correct horse battery', 'correct horse battery'];

    assert.equal(refuseToken({ authorization: 'Bearer correct horse battery' }, RULES), null);
    assert.equal(refuseToken({}, RULES)?.status, 401);
    assert.deepEqual(
      wrong.map((authorization) => refuseToken({ authorization }, RULES)?.status),
      wrong.map(() => 401),
    );
  });

  it('is not offered to other machines without a token of the user', async () => {
    const { code, stderr } = await typeCommand(['web', '--listen', 'tcp:192.0.2.10:8119'], '/nonexistent/gwmark.yaml');

    assert.equal(code, 2);
    assert.match(stderr, /tcp:192\.0\.2\.10:8119: other machines can reach it; expected --token-file/);
  });

  it('is refused with a token that every user can read, or that is short', async () => {
    await using directory = await TemporaryDirectory.open();
    const file = directory.file('token');
    const attempt = async (token: string, mode: number): Promise<string> => {
      await writeFile(file, token);
      await chmod(file, mode);
      return (await typeCommand(['web', '--token-file', file], directory.file('none.yaml'))).stderr;
    };

    assert.match(await attempt('0123456789abcdef\n', 0o644), /every user can read it; expected mode 0640 or less/);
    assert.match(await attempt('short\n', 0o600), /expected one line of 16 printable ASCII characters/);
    assert.match(await attempt('two lines of it\nand more\n', 0o600), /expected one line of 16/);
  });
});

describe('the flows of the page', () => {
  it('are those of the client that has their address, in either direction, or a subnet with it', async () => {
    const [one, two] = [client(1), { ...client(2), addresses: ['10.8.0.77', '192.168.7.0/24'] }];
    const page = await readFlowPage(
      sourceOf([
        flow('198.51.100.2', '10.8.0.2', 1, 100),
        flow('10.8.0.2', '198.51.100.9', 1, 50),
        flow('198.51.100.2', '192.168.7.9', 2, null),
        flow('203.0.113.2', '192.0.2.10', 3, 9),
      ]),
      [one, two],
    );

    const keys = [' 1 1', ' 1 2'];
    assert.deepEqual(
      page.flows.map(({ client: key }) => key),
      [keys[0], keys[0], keys[1], null],
    );
    assert.deepEqual(page.pairs, [
      { gateway: 1, client: keys[0], flows: 2, bytes: 300 },
      { gateway: 2, client: keys[1], flows: 1, bytes: null },
      { gateway: 3, client: null, flows: 1, bytes: 18 },
    ]);
    assert.equal(page.isTruncated, false);
  });

  it('are counted beyond those that are listed', async () => {
    const page = await readFlowPage(
      sourceOf(Array.from({ length: 700 }, () => flow('192.0.2.1', '10.8.0.2', 1, 1))),
      [],
    );

    assert.deepEqual([page.flows.length, page.pairs[0]?.flows, page.isTruncated], [500, 700, true]);
  });
});

describe('the picture', () => {
  it('folds ten thousand clients into one box, but for the busiest', () => {
    const clients = Array.from({ length: 10_000 }, (_, cid) => client(cid));
    const busy = [7, 4711, 9999];
    const looks = measuredOf(
      { clients },
      { clients: clients.map((known, cid) => (busy.includes(cid) ? client(cid, [1, 5000 + cid]) : known)) },
    );
    const topology = topologyOf(looks[1] ?? assert.fail('no look'), [
      { gateway: 1, client: ' 1 7', flows: 1, bytes: 1 },
      { gateway: 1, client: ' 1 5000', flows: 2, bytes: 1 },
      { gateway: 1, client: ' 1 5001', flows: 3, bytes: 1 },
      { gateway: 77, client: ' 1 7', flows: 9, bytes: 1 },
    ]);

    assert.equal(topology.clients.length, MAX_CLIENTS);
    for (const cid of busy) assert.ok(topology.clients.some(({ title }) => title === `c${cid}`));
    assert.equal(topology.clients.at(-1)?.title, '9,981 more clients');
    assert.deepEqual(topology.lines, [
      { from: '1', to: ' 1 7', flows: 1 },
      { from: '1', to: FOLD, flows: 5 },
    ]);
    const ys = topology.clients.map(({ y }) => y);
    assert.deepEqual(
      ys,
      ys.toSorted((a, b) => a - b),
    );
  });
});

describe('the events of the page', () => {
  it('are what differs between two looks, and none before the first', () => {
    const [first, second] = measuredOf(
      {
        ready: false,
        problems: ['no nft'],
        clients: [client(1), client(2)],
        gateways: [gateway(1), gateway(2)],
        fallThrough: { no_gateway: 1 },
      },
      {
        clients: [client(2), client(3)],
        gateways: [gateway(1, { mac: '02:00:00:00:00:99' }), gateway(2, { state: 'down' }), gateway(3)],
        fallThrough: { no_gateway: 1500 },
      },
    );
    assert.ok(first !== undefined && second !== undefined);

    assert.deepEqual(happeningsBetween(null, second), []);
    assert.deepEqual(happeningsBetween(second, second), []);
    assert.deepEqual(
      happeningsBetween(first, second).map(({ kind, text }) => `${kind}: ${text}`),
      [
        'good: ready again',
        'good: client c3 connected: 10.8.0.4',
        'plain: client c1 left',
        'warn: gateway 1 moved: 02:00:00:00:00:01 -> 02:00:00:00:00:99',
        'bad: gateway 2 is down: 02:00:00:00:00:02 on lan0',
        'good: gateway 3 found: 02:00:00:00:00:03 on lan0',
        'warn: 1,499 packets took the normal route: no_gateway',
      ],
    );
  });
});
