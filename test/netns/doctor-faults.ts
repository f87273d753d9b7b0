import type { DoctorFinding } from '../lab/doctor.js';

/** One fault of the kernel or the network: how it is made and unmade, and what the doctor must say. */
export interface Fault {
  readonly title: string;
  /** Shell lines, run in the endpoint. */
  readonly make: string;
  readonly unmake: string;
  readonly check: string;
  readonly severity: DoctorFinding['severity'];
  readonly found: RegExp;
}

/** Faults that do not hide each other: made together, looked at once. */
export interface FaultGroup {
  readonly title: string;
  /** Of the doctor. */
  readonly flags: readonly string[];
  readonly faults: readonly Fault[];
}

const IPTABLES_DOWN = 'iptables -t mangle -F; iptables -t mangle -X; nft delete table ip mangle';

/** All of them; a group is unmade before the next. */
export const FAULT_GROUPS: readonly FaultGroup[] = [
  {
    title: 'in one go, with the defaults',
    flags: [],
    faults: [
      {
        title: 'bridged frames in the IP hooks',
        make: 'ip link add br7 type bridge; ip addr add 203.0.113.77/32 dev br7; ip link set br7 up; echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables',
        unmake: 'ip link del br7',
        check: 'br-netfilter',
        severity: 'warn',
        found: /bridge-nf-call-iptables=1.* br7 /,
      },
      {
        title: 'an ip rule on our mark bits',
        make: 'ip rule add pref 500 fwmark 0x1000000/0xff000000 lookup 99',
        unmake: 'ip rule del pref 500',
        check: 'marks',
        severity: 'error',
        found: /ip rule 500 matches 0x1000000/,
      },
      {
        title: 'a rule of nftables that sets our mark bits',
        make: 'nft add table ip other "{ chain c { type filter hook prerouting priority 0; meta mark set mark or 0x2000000; }; }"',
        unmake: 'nft delete table ip other',
        check: 'marks',
        severity: 'error',
        found: /nftables chain ip other c sets 0x2000000/,
      },
      {
        title: 'a rule of nftables that copies the whole conntrack mark, behind those of gwmark',
        make: 'nft add table ip copying "{ chain premangle { type filter hook prerouting priority 300; meta l4proto udp meta mark set ct mark; }; }"',
        unmake: 'nft delete table ip copying',
        check: 'marks',
        severity: 'error',
        found: /chain ip copying premangle copies 0xff000000.*behind the rules of gwmark/,
      },
      {
        title: 'a rule of nftables that erases our mark bits',
        make: 'nft add table ip third "{ chain c { type filter hook prerouting priority 300; meta mark set 0x5; }; }"',
        unmake: 'nft delete table ip third',
        check: 'marks',
        severity: 'warn',
        found: /chain ip third c erases 0xff000000/,
      },
      {
        title: 'a rule of iptables-nft that sets our mark bits',
        make: 'iptables-nft -t mangle -A PREROUTING -j MARK --set-xmark 0x1000000/0x1000000',
        unmake: IPTABLES_DOWN,
        check: 'marks',
        severity: 'error',
        found: /iptables chain mangle PREROUTING sets 0x1000000/,
      },
      {
        title: 'a rule of iptables-legacy that copies our mark bits',
        make: 'iptables-legacy -t mangle -A OUTPUT -j CONNMARK --restore-mark',
        unmake: 'iptables-legacy -t mangle -F',
        check: 'marks',
        severity: 'warn',
        found: /iptables chain mangle OUTPUT copies 0xff000000/,
      },
      {
        title: 'a chain of nftables that drops what it does not accept',
        make: 'nft add table ip dropper "{ chain f { type filter hook forward priority 0; policy drop; }; }"',
        unmake: 'nft delete table ip dropper',
        check: 'forward-policy',
        severity: 'warn',
        found: /nftables chain ip dropper f has policy drop/,
      },
      {
        title: 'a FORWARD of iptables-legacy with policy DROP, as Docker makes it',
        make: 'iptables-legacy -P FORWARD DROP',
        unmake: 'iptables-legacy -P FORWARD ACCEPT',
        check: 'forward-policy',
        severity: 'warn',
        found: /iptables chain filter FORWARD has policy drop/,
      },
      {
        title: 'a rule of nftables that takes packets out of connection tracking',
        make: 'nft add table ip untracker "{ chain c { type filter hook prerouting priority raw; udp dport 1194 notrack; }; }"',
        unmake: 'nft delete table ip untracker',
        check: 'untracked',
        severity: 'warn',
        found: /nftables chain ip untracker c has rules with notrack/,
      },
      {
        title: 'a rule of iptables that takes packets out of connection tracking',
        make: 'iptables-nft -t raw -A PREROUTING -p udp --dport 1194 -j CT --notrack',
        unmake: 'nft delete table ip raw',
        check: 'untracked',
        severity: 'warn',
        found: /(nf|ip)tables chain (ip )?raw PREROUTING has rules with notrack/,
      },
      {
        title: 'a tunnel that forwards nothing, though the machine does',
        make: 'echo 0 > /proc/sys/net/ipv4/conf/tun0/forwarding',
        unmake: 'echo 1 > /proc/sys/net/ipv4/conf/tun0/forwarding',
        check: 'forwarding',
        severity: 'error',
        found: /net\.ipv4\.conf\.tun0\.forwarding: 0, although/,
      },
      {
        title: 'Calico, by its chains',
        make: 'nft add table ip filter "{ chain cali-FORWARD { }; }"',
        unmake: 'nft delete table ip filter',
        check: 'marks',
        severity: 'warn',
        found: /Calico is running, which uses 0xffff0000/,
      },
      {
        title: 'a rule priority in use',
        make: 'ip rule add pref 10042 to 203.0.113.77 lookup main',
        unmake: 'ip rule del pref 10042',
        check: 'routing-numbers',
        severity: 'error',
        found: /priority 10042/,
      },
      {
        title: 'a routing table in use',
        make: 'ip route add 203.0.113.77 dev lan0 table 7711',
        unmake: 'ip route flush table 7711',
        check: 'routing-numbers',
        severity: 'error',
        found: /table 7711/,
      },
      {
        title: 'a next-hop address in use',
        make: 'ip addr add 169.254.119.9/32 dev lan0',
        unmake: 'ip addr del 169.254.119.9/32 dev lan0',
        check: 'routing-numbers',
        severity: 'error',
        found: /169\.254\.119\.9/,
      },
      {
        title: "a table of our name that is another program's",
        make: 'nft add table inet gwmark "{ chain theirs { counter; }; }"',
        unmake: 'nft delete table inet gwmark',
        check: 'nftables-table',
        severity: 'error',
        found: /belongs to another program/,
      },
      {
        title: 'a tunnel that is larger than the link',
        make: 'ip link set lan0 mtu 1300',
        unmake: 'ip link set lan0 mtu 1500',
        check: 'mtu',
        severity: 'warn',
        found: /tun0: 1400, and 1300 on lan0/,
      },
    ],
  },
  {
    title: 'with `sysctl: leave` and `datapath: module`',
    flags: ['--sysctl', 'leave', '--datapath', 'module'],
    faults: [
      {
        title: 'IPv4 forwarding off, and nobody to turn it on',
        make: 'echo 0 > /proc/sys/net/ipv4/ip_forward',
        unmake: 'echo 1 > /proc/sys/net/ipv4/ip_forward',
        check: 'forwarding',
        severity: 'error',
        found: /net\.ipv4\.ip_forward: 0/,
      },
      {
        title: 'IPv6 forwarding off, and nobody to turn it on',
        make: 'echo 0 > /proc/sys/net/ipv6/conf/all/forwarding',
        unmake: 'echo 1 > /proc/sys/net/ipv6/conf/all/forwarding',
        check: 'forwarding',
        severity: 'error',
        found: /net\.ipv6\.conf\.all\.forwarding: 0/,
      },
      {
        title: 'rp_filter on under the datapath module',
        make: 'echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter',
        unmake: 'echo 0 > /proc/sys/net/ipv4/conf/all/rp_filter',
        check: 'rp-filter',
        severity: 'error',
        found: /lan0: 1 \(net\.ipv4\.conf\.all\.rp_filter\)/,
      },
      {
        title: 'conntrack label bits of the module in use',
        make: 'nft add table ip other "{ chain c { type filter hook forward priority 0; ct label set 70; }; }"',
        unmake: 'nft delete table ip other',
        check: 'conntrack-labels',
        severity: 'error',
        found: /chain ip other c sets bit 70/,
      },
      {
        title: 'a module that is wanted and not loaded',
        make: 'true',
        unmake: 'true',
        check: 'module',
        severity: 'error',
        found: /not loaded/,
      },
    ],
  },
  {
    title: 'on devices that the setting names',
    flags: ['--devices', 'lan9,tun0,ve0,ve1,ve2,ve4'],
    faults: [
      {
        title: 'a device that does not exist',
        make: 'true',
        unmake: 'true',
        check: 'devices',
        severity: 'error',
        found: /device lan9: does not exist/,
      },
      {
        title: 'a device that is no Ethernet device',
        make: 'true',
        unmake: 'true',
        check: 'devices',
        severity: 'error',
        found: /device tun0: is not an Ethernet device/,
      },
      {
        title: 'a device without carrier',
        make: 'ip link add ve0 type veth peer name ve1; ip link set ve0 up',
        unmake: 'ip link del ve0',
        check: 'devices',
        severity: 'error',
        found: /device ve0: has no carrier/,
      },
      {
        title: 'a device that is down',
        make: 'true',
        unmake: 'true',
        check: 'devices',
        severity: 'error',
        found: /device ve1: is down/,
      },
      {
        title: 'a device without an address',
        make: 'ip link add ve2 type veth peer name ve3; ip link set ve2 up; ip link set ve3 up; ip -6 addr flush dev ve2',
        unmake: 'ip link del ve2',
        check: 'devices',
        severity: 'error',
        found: /device ve2: has no address/,
      },
      {
        title: 'a device that is a part of a bridge',
        make: 'ip link add br7 type bridge; ip link add ve4 type veth peer name ve5; ip link set ve4 master br7',
        unmake: 'ip link del ve4; ip link del br7',
        check: 'devices',
        severity: 'error',
        found: /device ve4: is part of br7/,
      },
    ],
  },
  {
    title: 'that is none, or recovers by itself',
    flags: [],
    faults: [
      {
        title: 'forwarding off where the sidecar will turn it on: no fault',
        make: 'echo 0 > /proc/sys/net/ipv4/ip_forward',
        unmake: 'echo 1 > /proc/sys/net/ipv4/ip_forward',
        check: 'forwarding',
        severity: 'info',
        found: /net\.ipv4\.ip_forward: 0/,
      },
      {
        title: 'rp_filter on under the datapath nexthop: no fault',
        make: 'echo 1 > /proc/sys/net/ipv4/conf/lan0/rp_filter',
        unmake: 'echo 0 > /proc/sys/net/ipv4/conf/lan0/rp_filter',
        check: 'rp-filter',
        severity: 'ok',
        found: /lan0: 1/,
      },
      {
        title: 'kube-proxy and Tailscale, whose bits are others: no fault',
        make: 'nft add table ip nat "{ chain KUBE-SERVICES { }; chain ts-forward { }; }"; ip rule add pref 5210 fwmark 0x80000/0xff0000 lookup main',
        unmake: 'nft delete table ip nat; ip rule del pref 5210',
        check: 'marks',
        severity: 'ok',
        found: /unused by other programs \(kube-proxy, Tailscale uses different ones\)/,
      },
      {
        title: 'conntrack labels under the datapath nexthop: no fault',
        make: 'nft add table ip other "{ chain c { type filter hook forward priority 0; ct label set 70; }; }"',
        unmake: 'nft delete table ip other',
        check: 'conntrack-labels',
        severity: 'ok',
        found: /used by nftables chain ip other c/,
      },
      {
        title: 'a tunnel whose packets mssfix makes fit: no fault',
        make: 'ip link set tun0 mtu 1500',
        unmake: 'ip link set tun0 mtu 1400',
        check: 'mtu',
        severity: 'info',
        found: /mssfix keeps TCP below it/,
      },
    ],
  },
  {
    title: 'of a tunnel that is too small',
    flags: [],
    faults: [
      {
        title: 'a tunnel that is too small for IPv6',
        make: 'ip link set tun0 mtu 1200',
        unmake: 'ip link set tun0 mtu 1400; ip addr add fd00:8::1/64 dev tun0',
        check: 'mtu',
        severity: 'error',
        found: /tun0: 1200/,
      },
    ],
  },
  {
    title: 'of a tunnel that is not there',
    flags: [],
    faults: [
      {
        title: 'no tunnel',
        make: 'ip link set tun0 down',
        unmake: 'ip link set tun0 up',
        check: 'tunnel',
        severity: 'warn',
        found: /no device without a link layer/,
      },
    ],
  },
];
