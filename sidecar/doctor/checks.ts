import type { Check } from './check.js';
import { announce } from './checks/announce.js';
import { bridgeNetfilter } from './checks/bridge-netfilter.js';
import { clientNetworks } from './checks/client-networks.js';
import { clock } from './checks/clock.js';
import { conntrack } from './checks/conntrack.js';
import { conntrackZones } from './checks/conntrack-zones.js';
import { devices } from './checks/devices.js';
import { flowtables } from './checks/flowtables.js';
import { forwardPolicy } from './checks/forward-policy.js';
import { forwarding } from './checks/forwarding.js';
import { inline } from './checks/inline.js';
import { iptables } from './checks/iptables.js';
import { kernel } from './checks/kernel.js';
import { kernelPolicy } from './checks/kernel-policy.js';
import { failover } from './checks/failover.js';
import { firstPackets } from './checks/first-packets.js';
import { labels } from './checks/labels.js';
import { management } from './checks/management.js';
import { marks } from './checks/marks.js';
import { kernelModule } from './checks/module.js';
import { mtu } from './checks/mtu.js';
import { nftables } from './checks/nftables.js';
import { offload } from './checks/offload.js';
import { openvpnOptions } from './checks/openvpn-options.js';
import { passThrough } from './checks/pass-through.js';
import { pathFilters } from './checks/path-filters.js';
import { pathMtu } from './checks/path-mtu.js';
import { privilege } from './checks/privilege.js';
import { programs } from './checks/programs.js';
import { reachability } from './checks/reachability.js';
import { reversePath } from './checks/reverse-path.js';
import { routingNumbers } from './checks/routing-numbers.js';
import { settings } from './checks/settings.js';
import { sources } from './checks/sources.js';
import { sourceLists } from './checks/source-lists.js';
import { sidecars } from './checks/sidecars.js';
import { table } from './checks/table.js';
import { transport } from './checks/transport.js';
import { tunnels } from './checks/tunnels.js';
import { udpSource } from './checks/udp-source.js';
import { untracked } from './checks/untracked.js';

/** Every check, in the order in which they are shown: the basics first, then what depends on them. */
export const CHECKS: readonly Check[] = [
  privilege,
  kernel,
  clock,
  programs,
  nftables,
  iptables,
  conntrack,
  untracked,
  conntrackZones,
  kernelModule,
  devices,
  forwarding,
  forwardPolicy,
  flowtables,
  offload,
  reversePath,
  pathFilters,
  bridgeNetfilter,
  inline,
  marks,
  labels,
  kernelPolicy,
  routingNumbers,
  table,
  firstPackets,
  sidecars,
  settings,
  sourceLists,
  failover,
  management,
  passThrough,
  openvpnOptions,
  tunnels,
  transport,
  sources,
  udpSource,
  reachability,
  clientNetworks,
  announce,
  mtu,
  pathMtu,
];
