/**
 * A subject: the product's datapath with its real parts, to which one new router after the other becomes known. Prints
 * for each the microseconds from the change of the neighbour table until the kernel has the router's rules and routes,
 * as JSON. Argument: `netlink` or `ip`, how routing is watched and changed; and the number of routers.
 */
import { once } from 'node:events';
import { openNftables } from 'nftables-json';
import type { Link, Tunnel } from '../../rules/index.js';
import { policyOf } from '../../sidecar/config/policy.js';
import { loadConfig } from '../../sidecar/config/load.js';
import { SourceLists } from '../../sidecar/datapath/source-lists.js';
import { makeKernelSide } from '../../sidecar/kernel/kernel-side.js';
import { createLogger } from '../../sidecar/log/logger.js';
import { IP_ROUTING } from '../../sidecar/routing/ip-routing.js';
import { NetlinkRouting } from '../../sidecar/routing/netlink/netlink-routing.js';
import { ClientNetworks } from '../../sidecar/sessions/client-networks.js';
import { EventEmitter } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { LAN_DEVICE, makeEndpoint } from './network.js';

const [by = '', count = ''] = process.argv.slice(2);
/** A router is known when things are quiet again: passes that look after takers included. */
const PACE_MS = 20;

const config = await loadConfig(
  { flags: new Map(), env: {}, workingDirectory: '/', defaultConfigFile: '/none.yaml' },
  { endpoints: false },
);
if (!config.ok) throw new Error(JSON.stringify(config.problems));
const policy = policyOf(config.settings);
const socket = await makeEndpoint();
const link: Link = {
  device: LAN_DEVICE,
  addresses: ['192.0.2.1'],
  onlink: [{ family: 4, address: '192.0.2.0', prefixLength: 24 }],
  families: [4, 6],
  hasReversePathFilter: false,
  isBridge: false,
};
const tunnel: Tunnel = {
  device: 'tun0',
  addresses: [{ family: 4, address: '10.64.0.1', prefixLength: 10 }],
  connected: [{ family: 4, address: '10.64.0.0', prefixLength: 10 }],
  covered: [{ family: 4, address: '10.64.0.0', prefixLength: 10 }],
  families: [4],
};
const passes = new EventEmitter();
const logger = createLogger({ ...config.settings.log, level: 'error', output: process.stderr });
const nft = await openNftables({ executor: 'library' });
// The neighbour table is changed by another socket than the one that is measured.
const changer = await NetlinkRouting.open();
const routing = by === 'ip' ? IP_ROUTING : await NetlinkRouting.open();
const { datapath, gateways, neighbours, reconciler } = makeKernelSide({
  kind: 'nexthop',
  tool: { kind: 'nftables', nft },
  policy,
  routing,
  maxGateways: 254,
  configuredUplink: null,
  clients: new ClientNetworks(),
  sources: new SourceLists([], []),
  logger,
  onChanged: () => update(),
  onRemoved: () => undefined,
  onPass: () => passes.emit('pass'),
});
const update = (): void =>
  reconciler.setSite({
    tunnels: [tunnel],
    transports: [{ protocol: 'udp', address: null, families: [4], port: 1194 }],
    links: [link],
    ...gateways.ofSite,
    savedSysctls: [],
  });

await datapath.start(null);
await neighbours.setLinks([link]);
update();
await reconciler.applied();
const watch = await routing.watch({
  protocol: policy.routing.protocol,
  onEvent: (event) => {
    if (event.kind === 'neighbour') neighbours.take(event);
  },
  onLost: () => undefined,
  onEnd: (cause) => {
    throw cause;
  },
});
// A spawned monitor listens some time after it was started.
await delay(500);

const times: number[] = [];
for (let index = 0; index < Number(count); index += 1) {
  const mac = `02:00:00:01:00:${index.toString(16).padStart(2, '0')}`;
  const address = `192.0.2.${index + 10}`;
  const startedMs = performance.now();
  await changer.add(
    { ...policy, routing: { ...policy.routing, protocol: 4 } },
    {
      setNeighbours: [{ family: 4, address, device: LAN_DEVICE, mac }],
      setRoutes: [],
      addRules: [],
      removeRules: [],
      removeRoutes: [],
      removeNeighbours: [],
    },
  );
  while (!gateways.ofSite.gateways.some((gateway) => gateway.mac === mac)) await once(passes, 'pass');
  times.push((performance.now() - startedMs) * 1000);
  await delay(PACE_MS);
  await reconciler.applied();
}
process.stdout.write(JSON.stringify(times));
await watch[Symbol.asyncDispose]();
await datapath.close();
await reconciler.close();
await nft[Symbol.asyncDispose]();
socket.close();
process.exit(0);
