/**
 * WireGuard on an inline endpoint: the bridge between a site and its router, with the datapath that needs no module.
 * The program is wireguard-go, in test/vm/wireguard.sh the kernel, there also with the module.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { Capture } from '../lab/capture.js';
import { Inline } from '../lab/inline.js';
import { Sidecar } from '../lab/sidecar.js';
import { ADDRESS, MAC } from '../lab/topology.js';
import { type Party, reach } from '../lab/traffic.js';
import { FAMILIES, TUNNEL } from '../lab/vpn-lab.js';
import { patient } from '../lab/wait.js';
import { Wireguard, wireguardName } from '../lab/wireguard.js';
import { assertExchange, assertNothingFarResolved, assertSentVia, KINDS, sentTo } from './matrix.js';

const PORT = 51820;
const DEVICE = wireguardName('b');
const PEER = wireguardName('c');
const DATAPATH = process.env['GWMARK_DATAPATH'] ?? 'nexthop';

describe(`WireGuard on an inline endpoint, datapath ${DATAPATH}`, function () {
  this.timeout(patient(60_000));
  let topology: Inline;
  let directory: string;
  let server: Wireguard;
  let peer: Wireguard;
  let sidecar: Sidecar;
  const captures = {} as Record<'r1' | 'r2', Capture>;

  before(async () => {
    directory = await mkdtemp(path.join(tmpdir(), `gwmark-lab-${process.pid}-`));
    topology = await Inline.create();
    const { endpoint, client1, r1, r2 } = topology.boxes;
    for (const [name, namespace] of [
      ['r1', r1],
      ['r2', r2],
    ] as const)
      captures[name] = await Capture.start(namespace, 'lan0', '');
    server = await Wireguard.start({
      namespace: endpoint,
      device: DEVICE,
      addresses: { v4: `${TUNNEL.endpoint.v4}/24`, v6: `${TUNNEL.endpoint.v6}/64` },
      port: PORT,
    });
    peer = await Wireguard.start({
      namespace: client1,
      device: PEER,
      addresses: { v4: `${TUNNEL.client1.v4}/24`, v6: `${TUNNEL.client1.v6}/64` },
    });
    await client1.ip(`route add 198.51.100.0/25 dev ${PEER}`, `route add 2001:db8:a::/64 dev ${PEER}`);
    const config = path.join(directory, 'gwmark.yaml');
    await writeFile(config, `wireguard: [${DEVICE}]\n`);
    sidecar = await Sidecar.start({
      namespace: endpoint,
      directory,
      managementSocket: null,
      flags: ['--config', config, '--datapath', DATAPATH],
    });
    // Routers of the segment have nothing to tell the endpoint: nobody sends to it but the peer.
    await server.peer(
      peer.publicKey,
      'allowed-ips',
      `${TUNNEL.client1.v4}/32,${TUNNEL.client1.v6}/128,192.168.77.0/24,fd00:77::/64`,
    );
    await peer.peer(
      server.publicKey,
      'endpoint',
      `${ADDRESS.endpoint.v4}:${PORT}`,
      'allowed-ips',
      '10.8.0.0/24,fd00:8::/64,198.51.100.0/25,2001:db8:a::/64',
      'persistent-keepalive',
      '1',
    );
    await sidecar.statusWhere(
      ({ peers = [], uplink }) => uplink !== null && peers.some(({ isConnected }) => isConnected),
      'the peer is connected',
      30_000,
    );
    await sidecar.carries(MAC.r1);
    // The status has a peer a moment before the kernel has its networks.
    for (const family of FAMILIES) await reach(topology.boxes.host, TUNNEL.client1[family], ADDRESS.hostA[family]);
  });
  after(async () => {
    for (const capture of Object.values(captures)) await capture?.[Symbol.asyncDispose]();
    await sidecar?.[Symbol.asyncDispose]();
    for (const wireguard of [server, peer]) await wireguard?.[Symbol.asyncDispose]();
    await topology?.[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  for (const family of FAMILIES) {
    it(`carries IPv${family.slice(1)} between a host and a peer, whoever opens it, out of r2's port to r2's MAC`, async () => {
      const host: Party = { namespace: topology.boxes.host, address: ADDRESS.hostA[family] };
      const far: Party = { namespace: topology.boxes.client1, address: TUNNEL.client1[family] };
      const site: Party = { namespace: topology.boxes.site, address: ADDRESS.site[family] };
      for (const kind of KINDS) {
        const [r1, r2] = [await captures.r1.mark(), await captures.r2.mark()];
        await assertExchange(kind, host, far);
        await assertExchange(kind, host, site);

        const atR2 = await captures.r2.frames(r2);
        assertSentVia(atR2, ADDRESS.hostA[family], MAC.r2);
        assertNothingFarResolved(atR2);
        const atR1 = await captures.r1.frames(r1);
        assert.deepEqual(sentTo(atR1, ADDRESS.hostA[family]), []);
        assertSentVia(
          atR1.filter(({ ports }) => ports?.source === PORT),
          ADDRESS.client1.v4,
          MAC.r1,
        );
        // What a peer opens goes to the uplink first, which returns it; after the first answer, to r2.
        await assertExchange(kind, far, host);
      }
    });
  }
});
