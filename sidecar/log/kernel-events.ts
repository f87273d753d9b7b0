import type { EventDescription } from './levels.js';

/** Events of what the sidecar does to the kernel's rules, routing and settings: a part of `LOG_EVENTS`. */
export const KERNEL_EVENTS = {
  'firewall.applied': {
    level: 'debug',
    meaning: 'A pass was applied: its firewall transaction and its routing changes. `pass` counts the passes.',
    action: 'None.',
  },
  'firewall.failed': {
    level: 'error',
    meaning:
      'A pass failed: the kernel rejected a change of the firewall, or a rule, a route or a neighbour. The sidecar retries it.',
    action: 'See the object and the reason in the fields.',
  },
  'firewall.recovered': {
    level: 'info',
    meaning: 'What failed before was applied at a later attempt.',
    action: 'None.',
  },
  'firewall.selected': {
    level: 'info',
    meaning:
      'The firewall in use: `nftables`, `iptables-nft` or `iptables-legacy`; if it is not the usual choice, why.',
    action: 'None.',
  },
  'firewall.flavour': {
    level: 'debug',
    meaning: 'With `iptables.flavour: auto`, why this flavour was selected, and which rules the other one has.',
    action: 'None.',
  },
  'firewall.no_mac_sets': {
    level: 'warn',
    meaning:
      'With iptables, in a kernel without the set type hash:mac: the sidecar knows routers only from the neighbour table, so it does not learn a router that never sent an ARP or ND request for this machine.',
    action: 'Use nftables, or a kernel with CONFIG_IP_SET_HASH_MAC; or ping the router once.',
  },
  'firewall.no_bridge': {
    level: 'warn',
    meaning:
      'A device is a bridge, but frames that pass it cannot be selected: iptables has no rules for them, or the kernel has no nftables of family bridge (`error`). Nothing is captured inline.',
    action:
      'If the endpoint is inline, use `firewall: nftables` and a kernel with CONFIG_NF_TABLES_BRIDGE; otherwise none.',
  },
  'offload.decided': {
    level: 'info',
    meaning: 'Whether packets from tunnels to gateways are offloaded, and why not, or which rules they bypass.',
    action: 'None; see the guide to offloading.',
  },
  'offload.unsupported': {
    level: 'warn',
    meaning:
      'With `offload: on`: this kernel, firewall or datapath cannot offload, so packets pass rules and routing.',
    action: 'See the reason; `offload: off` or `auto` if this is known.',
  },
  'offload.renewed': {
    level: 'debug',
    meaning: 'Every offloaded flow passes rules and routing once more before it is offloaded again, for this reason.',
    action: 'None.',
  },
  'offload.not_renewed': {
    level: 'warn',
    meaning: 'The flowtable could not be renewed: flows may bypass a new rule, or go to their former gateway.',
    action: 'See the error; `offload: off` and a restart end offloading.',
  },
  'firewall.fallback': {
    level: 'warn',
    meaning:
      'libnftables cannot be used in process, so the sidecar spawns `nft` for each change: slower, otherwise the same.',
    action: 'Install libnftables1, or set `executor: process` if this is intended.',
  },
  'firewall.repaired': {
    level: 'warn',
    meaning: 'Another program changed or flushed the table or the chains of gwmark; the sidecar restored them.',
    action: 'Find out which program flushes the whole ruleset, often a firewall script.',
  },
  'firewall.contested': {
    level: 'warn',
    meaning:
      'Another program repeatedly changes or removes the table or the chains of gwmark. From now on gwmark restores them less and less often, down to every 30 seconds: in between, the other program wins, and replies are lost. Logged once until no more repairs are needed.',
    action:
      'Stop the other program from flushing the whole ruleset (`nft flush ruleset`, `iptables -F`): let it replace its own tables and chains alone.',
  },
  'firewall.adopted': {
    level: 'info',
    meaning: 'The sidecar took over the rules of an earlier run without a gap.',
    action: 'None.',
  },
  'routing.repaired': {
    level: 'warn',
    meaning:
      'Another program changed rules, routes or neighbours of gwmark (their devices are the same). `missing` and `surplus` list them; the sidecar restored them.',
    action: 'Find out which program does this: often a network manager that owns the device.',
  },
  'routing.renewed': {
    level: 'info',
    meaning:
      'A device was deleted and recreated, for example the tunnel of an OpenVPN that restarts, and the kernel deleted its routes and neighbours; the sidecar installed them again.',
    action: 'None.',
  },
  'routing.device_gone': {
    level: 'info',
    meaning:
      'A device disappeared while routes over it were being installed, for example because OpenVPN stopped; the sidecar reads the devices again and installs the rest.',
    action: 'None.',
  },
  'routing.contested': {
    level: 'warn',
    meaning:
      'Another program repeatedly removes routing that gwmark restores (`lost`). From now on gwmark restores it less and less often, down to every 30 seconds: in between, the other program wins, and replies are lost. Logged once until no more repairs are needed.',
    action:
      'Configure that program to leave foreign routes alone: ManageForeignRoutes=no and ManageForeignRoutingPolicyRules=no in networkd.conf(5), an unmanaged device in NetworkManager.',
  },
  'routing.fallback': {
    level: 'warn',
    meaning:
      'rtnetlink cannot be used in process, so the sidecar spawns `ip` for each change and listens to `ip monitor`: a new router takes some 20 ms more, otherwise the same.',
    action: 'Install koffi (an optional dependency of the package), or set `executor: process` if this is intended.',
  },
  'routing.monitor_lost': {
    level: 'warn',
    meaning: 'The watch of the kernel ended (`reason`); the sidecar restarts it and reads everything again.',
    action: 'If it repeats: check the installation of iproute2.',
  },
  'routing.events_lost': {
    level: 'info',
    meaning:
      'More changed in the kernel at once than the sidecar could take in, and the kernel dropped some events; the sidecar reads everything again.',
    action: 'None. If it repeats: find out what changes neighbours or routes so fast (`ip monitor`).',
  },
  'gateway.setting_ignored': {
    level: 'warn',
    meaning:
      'A setting of gateways has no effect with the datapath `module`, which learns and moves gateways by itself.',
    action: 'Use `datapath: nexthop`, or remove the setting; `gwmark move` works with both datapaths.',
  },
  'conntrack.flushed': {
    level: 'debug',
    meaning: 'The conntrack entries of a client that left were deleted.',
    action: 'None.',
  },
  'conntrack.unavailable': {
    level: 'warn',
    meaning: 'The sidecar cannot delete conntrack entries, so flows of clients that left last until they time out.',
    action: 'Install the program `conntrack`, or set `conntrack: keep`.',
  },
  'path_filter.changed': {
    level: 'info',
    meaning:
      'Other programs have installed or changed reverse path filters made of rules (`filters`). `isAnswering`: gwmark has rules that make these filters accept packets from gateways, at a small cost for every packet.',
    action: 'None if `isAnswering` is true; otherwise check what `gwmark doctor` says (check `path-filters`).',
  },
  'device.in_vrf': {
    level: 'warn',
    meaning: 'Devices are in a VRF (`devices`): gwmark learns no gateway on them, and the VPN cannot use them.',
    action:
      'None for a device that has nothing to do with the VPN; otherwise remove it from the VRF, or move it with OpenVPN into a network namespace.',
  },
  'device.unusable': {
    level: 'warn',
    meaning:
      'A device in the setting `devices` does not exist, is down, or is part of a bridge or bond: gwmark learns no gateway on it.',
    action: 'Compare `devices` with `ip link`; gwmark uses the device once it exists and is up.',
  },
  'announce.changed': {
    level: 'debug',
    meaning: 'The endpoint answers ARP and ND for so many addresses more, or fewer (`announce: proxy`).',
    action: 'None.',
  },
  'announce.taken': {
    level: 'warn',
    meaning:
      'A host on the link, with the MAC address `mac`, has the address of a connected client. The endpoint does not answer for this address; it asks again after 2 s, and then less and less often, down to every minute.',
    action: 'Give the host or the client another address.',
  },
  'announce.freed': {
    level: 'info',
    meaning: 'The host that had the address of a client is gone; the endpoint answers for the address now.',
    action: 'None.',
  },
  'announce.renewed': {
    level: 'info',
    meaning:
      'Proxy neighbours of gwmark were missing: the kernel removes them when their link goes down, or another program did. The sidecar installs them again, after it has asked the link.',
    action: 'None; if it repeats although the link stays up, find out which program removes them.',
  },
  'announce.omitted': {
    level: 'warn',
    meaning:
      'A subnet behind a client lies in the network of a link and has more than 256 addresses: the endpoint does not answer for it.',
    action: 'Give hosts and routers a route to it, or use several smaller subnets.',
  },
  'announce.silent': {
    level: 'warn',
    meaning:
      'The sidecar cannot send gratuitous ARP and unsolicited neighbour advertisements. The endpoint answers requests anyway; only a host that has an old MAC address for a client keeps it until its entry expires.',
    action: 'Give the service or the container CAP_NET_RAW; with systemd also the address family AF_PACKET.',
  },
  'announce.failed': {
    level: 'warn',
    meaning: 'Proxy neighbours could not be changed; the sidecar retries it.',
    action: 'See the reason in the fields.',
  },
  'sysctl.changed': {
    level: 'info',
    meaning: 'A sysctl was changed; `gwmark down` restores it.',
    action: 'None.',
  },
  'sysctl.failed': {
    level: 'error',
    meaning: 'A sysctl could not be set (often because /proc/sys is read-only in a container) or restored.',
    action: 'Set it from outside (`docker run --sysctl`) and use `sysctl: leave`.',
  },
  'sysctl.optional': {
    level: 'warn',
    meaning:
      "An optional sysctl could not be set. Everything works except one case: without net.ipv6.fwmark_reflect, OpenVPN over UDP and IPv6 does not learn a path MTU below the link's MTU; without proxy_delay=0 (`announce: proxy`), a host waits up to 0.8 s for the first answer about a client.",
    action: 'Set it from outside (`docker run --sysctl`), or make OpenVPN send smaller packets (`mssfix`, `tun-mtu`).',
  },
} as const satisfies Record<string, EventDescription>;
