import type { EventDescription } from './levels.js';

/** Events of what the sidecar does to the kernel's rules, routing and settings: a part of `LOG_EVENTS`. */
export const KERNEL_EVENTS = {
  'firewall.applied': {
    level: 'debug',
    meaning:
      'A pass was applied: its transaction of the firewall, and what belongs to it in routing. `pass` counts them.',
    action: 'None.',
  },
  'firewall.failed': {
    level: 'error',
    meaning: 'The kernel refused a transaction of the firewall; it is tried again.',
    action: 'The fields name the object and the reason.',
  },
  'firewall.recovered': {
    level: 'info',
    meaning: 'What had failed was applied at a later attempt.',
    action: 'None.',
  },
  'firewall.selected': {
    level: 'info',
    meaning:
      'What rules are made with: `nftables`, `iptables-nft` or `iptables-legacy`; where it is not the usual choice, why.',
    action: 'None.',
  },
  'firewall.flavour': {
    level: 'debug',
    meaning: 'Under `iptables.flavour: auto`, why this flavour was taken, and what the other one holds.',
    action: 'None.',
  },
  'firewall.no_mac_sets': {
    level: 'warn',
    meaning:
      'With iptables, in a kernel without the set type hash:mac: routers are known from the neighbour table alone, so one that never asked ARP or ND for this machine is not learnt.',
    action: 'Use nftables, or a kernel with CONFIG_IP_SET_HASH_MAC; or ping the router once.',
  },
  'firewall.no_bridge': {
    level: 'warn',
    meaning:
      'A device is a bridge, and frames that pass a bridge can only be selected with nftables: nothing is captured inline.',
    action: 'Use `firewall: nftables` where the endpoint is inline; else none.',
  },
  'firewall.fallback': {
    level: 'warn',
    meaning:
      'libnftables cannot be used in the process, so `nft` is spawned for each change: slower, and otherwise the same.',
    action: 'Install libnftables1, or set `executor: process` if this is meant.',
  },
  'firewall.repaired': {
    level: 'warn',
    meaning: 'Somebody changed or flushed the table or the chains of gwmark; they were put back.',
    action: 'Find out who flushes the whole ruleset, often a firewall script.',
  },
  'firewall.adopted': {
    level: 'info',
    meaning: 'The rules of an earlier run were found and taken over without a gap.',
    action: 'None.',
  },
  'routing.applied': {
    level: 'debug',
    meaning: 'A batch of rules, routes or neighbours was applied.',
    action: 'None.',
  },
  'routing.failed': {
    level: 'error',
    meaning: 'The kernel refused a rule, a route or a neighbour; it is tried again.',
    action: 'The fields name the object and the reason.',
  },
  'routing.repaired': {
    level: 'warn',
    meaning:
      'Rules, routes or neighbours of gwmark were not as it had installed them, although their devices are the same: another program changed them. `missing` and `surplus` name them; they are installed again.',
    action: 'Find out which program does: often a network manager that owns the device.',
  },
  'routing.renewed': {
    level: 'info',
    meaning:
      'A device went and came anew, as the tunnel of an OpenVPN that restarts, and the kernel took routes and neighbours along; they are installed again.',
    action: 'None.',
  },
  'routing.device_gone': {
    level: 'info',
    meaning:
      'A device went while routes over it were being installed, for example because OpenVPN ended; devices are read again and the rest is installed.',
    action: 'None.',
  },
  'routing.contested': {
    level: 'warn',
    meaning:
      'Another program removes what gwmark restores in routing (`lost`) again and again. From now on it is restored ever less often, every 30 seconds at last: in between the other program wins, and answers are lost. Said once until it is calm again.',
    action:
      'Keep that program from it: ManageForeignRoutes=no and ManageForeignRoutingPolicyRules=no in networkd.conf(5), an unmanaged device in NetworkManager.',
  },
  'routing.monitor_lost': {
    level: 'warn',
    meaning: '`ip monitor` ended; it is started anew and everything is read again.',
    action: 'If it repeats: see that iproute2 is intact.',
  },
  'routing.clash': {
    level: 'error',
    meaning: 'A routing table, a rule priority or a next-hop address that gwmark needs is used by somebody else.',
    action: 'Change the `routing.*` setting that the fields name.',
  },
  'conntrack.flushed': {
    level: 'debug',
    meaning: 'The connection tracking entries of a client that left were deleted.',
    action: 'None.',
  },
  'conntrack.unavailable': {
    level: 'warn',
    meaning: 'Connection tracking entries cannot be deleted, so flows of clients that left live until they time out.',
    action: 'Install the program `conntrack`, or set `conntrack: keep`.',
  },
  'path_filter.changed': {
    level: 'info',
    meaning:
      'Other programs have reverse path filters made of rules (`filters`), or have others than before. `isAnswering`: rules of ours tell them the ways of gateways, which costs every packet a little.',
    action: 'None where `isAnswering` is true; else see whether `gwmark doctor` complains (check `path-filters`).',
  },
  'device.in_vrf': {
    level: 'warn',
    meaning: 'Cards are in a VRF (`devices`): no gateway is learnt on them, and the VPN cannot use them.',
    action:
      'None for a card that has nothing to do with the VPN; else take it out of the VRF, or move it with OpenVPN into a network namespace.',
  },
  'device.unusable': {
    level: 'warn',
    meaning:
      'A device that the setting `devices` names does not exist, is down, or is a part of a bridge or bond: no gateway is learnt on it.',
    action: 'Compare `devices` with `ip link`; the device is used once it is there and up.',
  },
  'sysctl.changed': {
    level: 'info',
    meaning: 'A sysctl was changed; `gwmark down` restores it.',
    action: 'None.',
  },
  'sysctl.failed': {
    level: 'error',
    meaning: 'A sysctl could not be set (often because /proc/sys is read-only in a container), or not be set back.',
    action: 'Set it from outside (`docker run --sysctl`) and use `sysctl: leave`.',
  },
  'sysctl.optional': {
    level: 'warn',
    meaning:
      'A sysctl could not be set without which all is carried, but for one case: without net.ipv6.fwmark_reflect, OpenVPN over UDP and IPv6 does not learn that the path to a client is narrower than the link.',
    action: 'Set it from outside (`docker run --sysctl`), or have OpenVPN send smaller packets (`mssfix`, `tun-mtu`).',
  },
} as const satisfies Record<string, EventDescription>;
