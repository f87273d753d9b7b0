/**
 * A subject: the product's datapath with its real parts, to which one new router after the other becomes known. Prints
 * for each the microseconds from the change of the neighbour table until the kernel has the router's routes and rules,
 * as JSON. Arguments: `netlink` or `ip`, how routing is watched and changed; `routing` for its rule, route
 * and neighbour alone, or `rules` for everything, with all decisions and the transaction of nftables; the number of
 * routers.
 */
import { EventEmitter, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { openNftables } from 'nftables-json';
import {
  EMPTY_DIFF,
  compileRouting,
  diffRouting,
  type Link,
  type RoutingDiff,
  type Tunnel,
} from '../../rules/index.js';
import { policyOf } from '../../sidecar/config/policy.js';
import { loadConfig } from '../../sidecar/config/load.js';
import { AnswerPolicies } from '../../sidecar/datapath/answer-policies.js';
import { keepUnchanged } from '../../sidecar/system/keep-unchanged.js';
import { SourceLists } from '../../sidecar/datapath/source-lists.js';
import { makeKernelSide } from '../../sidecar/kernel/kernel-side.js';
import type { WantedSite } from '../../sidecar/kernel/reconciler.js';
import { createLogger } from '../../sidecar/log/logger.js';
import { IP_ROUTING } from '../../sidecar/routing/ip-routing.js';
import { NetlinkRouting } from '../../sidecar/routing/netlink/netlink-routing.js';
import { ClientNetworks } from '../../sidecar/sessions/client-networks.js';
import { LAN_DEVICE, makeEndpoint } from './network.js';
import { watchedNftables } from './timed-nftables.js';

const [by = '', until = '', count = ''] = process.argv.slice(2);
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
const transactions = new EventEmitter();
let awaited = 'none yet';
let prepared: RoutingDiff = EMPTY_DIFF;
const logger = createLogger({ ...config.settings.log, level: 'error', output: process.stderr });
const nftables = await openNftables({ executor: 'library' });
/** The kernel has taken a transaction that has this MAC. */
const nft = watchedNftables(nftables, (commands) => {
  if (JSON.stringify(commands).includes(awaited)) transactions.emit('taken');
});
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
  offload: 'off',
  clients: new ClientNetworks(),
  sources: new SourceLists([], []),
  answers: new AnswerPolicies([]),
  isProbing: false,
  announcer: { heard: () => false },
  logger,
  onChanged: () => update(),
  onRemoved: () => undefined,
});
let site: WantedSite | null = null;
/** As sidecar/daemon/current-site.ts. */
const update = (): void => {
  site = keepUnchanged<WantedSite>(site, {
    tunnels: [tunnel],
    transports: [{ protocol: 'udp', address: null, families: [4], port: 1194 }],
    links: [link],
    ...gateways.ofSite,
    savedSysctls: [],
  });
  reconciler.setSite(site);
};

await datapath.start(null);
await neighbours.setLinks([link]);
update();
await reconciler.applied();
const watch = await routing.watch({
  protocol: policy.routing.protocol,
  onEvent: (event) => {
    if (event.kind !== 'neighbour' || event.isOurs) return;
    if (until === 'rules') neighbours.take(event);
    else if (event.mac === awaited) void routing.add(policy, prepared).then(() => transactions.emit('taken'));
  },
  onLost: () => undefined,
  onEnd: (cause) => {
    throw cause;
  },
});
/** What the reconciler installs for a router, without all that it decides before. */
function routingFor(id: number, mac: string): RoutingDiff {
  const around = {
    policy,
    tunnels: [tunnel],
    transports: [],
    links: [link],
    uplink: null,
    subnetLengths: [],
    clientRouteFamilies: [],
    savedSysctls: [],
  };
  const gateway = { id, device: LAN_DEVICE, mac, sources: [mac] };
  return diffRouting(compileRouting({ ...around, gateways: [] }), compileRouting({ ...around, gateways: [gateway] }));
}

// A spawned monitor listens some time after it was started.
await delay(500);

const times: number[] = [];
for (let index = 0; index < Number(count); index += 1) {
  const mac = `02:00:00:01:00:${index.toString(16).padStart(2, '0')}`;
  const address = `192.0.2.${index + 10}`;
  awaited = mac;
  prepared = routingFor(index + 1, mac);
  const taken = once(transactions, 'taken');
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
  // The kernel has announced the change by now, and nobody has heard of it yet: no turn of the event loop has passed.
  const startedMs = performance.now();
  await taken;
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
