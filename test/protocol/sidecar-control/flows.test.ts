import assert from 'node:assert/strict';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

import type { FlowJson } from '../../../sidecar/cli/flow-views.js';
import { run, start } from './fake-process.js';

interface Listing {
  readonly datapath: string;
  readonly sidecarRunning: boolean;
  readonly flows: readonly FlowJson[];
  readonly truncated: boolean;
}

async function list(many: number, ...args: readonly string[]): Promise<Listing> {
  const { code, stdout, stderr } = await run(['flows', '--json', ...args], { env: { FAKE_FLOWS: String(many) } });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as Listing;
}

describe('gwmark flows', function () {
  this.timeout(60_000);

  it('lists flows with where their gateway is, for eyes', async () => {
    const { code, stdout, stderr } = await run(['flows'], { env: { FAKE_FLOWS: '2' } });

    assert.deepEqual([code, stderr], [0, '']);
    assert.equal(
      stdout,
      [
        'PROTOCOL  FROM           TO           ANSWERED BY  GATEWAY  DEVICE  MAC                PACKETS  BYTES  OFFLOADED',
        'tcp       10.1.0.0:1024  10.8.0.2:80  -            1        lan0    02:00:00:00:00:01  1/0      60/0   -',
        'tcp       10.1.0.1:1025  10.8.0.2:80  -            2        -       -                  1/0      60/0   -',
        '',
      ].join('\n'),
    );
  });

  it('prints JSON with every field, and null for a gateway that is gone', async () => {
    const { datapath, sidecarRunning, flows, truncated } = await list(2);

    assert.deepEqual([datapath, sidecarRunning, truncated, flows.length], ['nexthop', true, false, 2]);
    assert.deepEqual(flows[0], {
      family: 4,
      protocol: 'tcp',
      original: {
        source: '10.1.0.0',
        sourcePort: 1024,
        destination: '10.8.0.2',
        destinationPort: 80,
        counted: { packets: 1, bytes: 60 },
      },
      reply: {
        source: '10.8.0.2',
        sourcePort: 80,
        destination: '10.1.0.0',
        destinationPort: 1024,
        counted: { packets: 0, bytes: 0 },
      },
      gateway: 1,
      destinationGateway: 0,
      device: 'lan0',
      mac: '02:00:00:00:00:01',
    });
    assert.deepEqual([flows[1]?.gateway, flows[1]?.device, flows[1]?.mac], [2, null, null]);
  });

  it('says that there are none', async () => {
    const eyes = await run(['flows']);

    assert.deepEqual([eyes.code, eyes.stdout], [0, 'no matching flow has a gateway\n']);
    assert.deepEqual((await list(0)).flows, []);
  });

  it('keeps to the limit, and says that there are more', async () => {
    const { code, stdout, stderr } = await run(['flows', '--json', '--limit', '3'], { env: { FAKE_FLOWS: '9' } });

    const { flows, truncated } = JSON.parse(stdout) as Listing;
    assert.deepEqual([code, flows.length, truncated], [0, 3, true]);
    assert.equal(stderr, 'gwmark: more flows exist than --limit 3 shows (--limit 0 shows all)\n');
    assert.deepEqual([(await list(3, '--limit', '3')).truncated, (await list(1001)).flows.length], [false, 1000]);
  });

  it('lists the flows of one client, of a subnet, of one gateway', async () => {
    assert.equal((await list(1000, '--client', '10.1.0.7')).flows.length, 1);
    assert.equal((await list(1000, '--client', '10.1.2.0/24')).flows.length, 250);
    assert.equal((await list(1000, '--gateway', '2')).flows.length, 500);
    assert.equal((await list(1000, '--client', '10.1.0.7', '--gateway', '1')).flows.length, 0);
    assert.equal((await list(10, '--client', 'fd00::1')).flows.length, 0);
  });

  it('lists 300,000 flows within a heap of 40 MB', async () => {
    const { code, stdout, stderr } = await run(['flows', '--json', '--limit', '0'], {
      env: { FAKE_FLOWS: '300000', NODE_OPTIONS: '--max-old-space-size=40' },
    });

    assert.equal(code, 0, stderr);
    assert.equal(stdout.split('\n').length, 300_000 + 3);
    assert.match(stdout, /\n\],"truncated":false\}\n$/);
  });

  it('ends when its reader has seen enough', async () => {
    const child = start(['flows', '--limit', '0'], { env: { FAKE_FLOWS: '100000000' } });

    child.stdout.once('data', () => child.stdout.destroy());
    const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'close') as Promise<[number]>]);

    assert.deepEqual([code, stderr], [0, '']);
  });

  it('says when no sidecar is at work and shows what the kernel has', async () => {
    const { code, stdout, stderr } = await run(['flows', '--json'], {
      daemon: 'gone',
      env: { FAKE_FLOWS: '1', GWMARK_CONTROL_SOCKET: '/run/x' },
    });

    assert.deepEqual([code, (JSON.parse(stdout) as Listing).sidecarRunning], [0, false]);
    assert.equal(stderr, 'gwmark: no sidecar answers at /run/x; showing the flows that the kernel still has\n');
  });

  it('exits 1 with one message where nothing runs', async () => {
    const { code, stdout, stderr } = await run(['flows', '--json'], { daemon: 'refuse' });

    assert.deepEqual([code, stdout, stderr], [1, '', 'gwmark: nothing of gwmark is at work here\n']);
  });

  for (const [args, message] of [
    [
      ['--client', '10.8.0.300'],
      '--client "10.8.0.300": expected an address such as 10.8.0.2, or a subnet such as 10.8.0.0/24',
    ],
    [['--gateway', '0'], '--gateway "0": expected an integer in 1..4294967295'],
    [['--gateway', 'r1'], '--gateway "r1": expected an integer in 1..4294967295'],
    [['--limit', '-1'], `--limit "-1": expected an integer in 0..${Number.MAX_SAFE_INTEGER}`],
  ] as const) {
    it(`refuses ${args.join(' ')} and exits 2`, async () => {
      const { code, stdout, stderr } = await run(['flows', ...args]);

      assert.deepEqual([code, stdout, stderr], [2, '', `gwmark: ${message}\n`]);
    });
  }

  it('needs CAP_NET_ADMIN', async () => {
    const { code, stderr } = await run(['flows'], { prefix: ['setpriv', '--bounding-set', '-net_admin'] });

    assert.equal(code, 1);
    assert.match(stderr, /^gwmark: "gwmark flows" needs CAP_NET_ADMIN to read connection tracking: /);
  });
});
