#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The wire may be a VLAN device, a bond, a macvlan or a bridge, and several at once.

# shellcheck source=guest/one-arm.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/one-arm.sh"
one_arm_up
marks_on
modprobe -a 8021q bonding macvlan
control ep enable

# swap_lan0 COMMAND...: replaces ep's lan0 by a device of the same name and
# addresses, made by the command in namespace ep above the veth wire0.
swap_lan0() {
	ip -n ep link del lan0 2>/dev/null || true
	ip -n ep link del wire0 2>/dev/null || true
	link ep wire0 "${wire_mac:-02:00:00:00:00:0a}" sw ep 02:00:00:00:01:02
	ip -n sw link set ep master br0
	"$@"
	ip -n ep link set lan0 up
	addresses ep lan0 192.0.2.2/24 2001:db8:2::2/64
	for n in 1 2; do
		ip -n r$n neigh flush dev lan0
	done
}
both_ways() {
	local what=$1 n
	for n in 1 2; do
		wire_reset
		holds "$what: h$n is answered" ping1 h$n 10.8.0.9
		holds "$what: h$n is answered over IPv6" ping1 h$n fd08::9
		is "$what: through r$n, without ARP or ND" "$(wire)" \
			"asks=0 r1=$((4 - 2 * n)) r2=$((2 * n - 2)) elsewhere=0"
	done
	is "$what: the gateways are on that device" "$(gwmark_file ep gateways | grep -c 'dev=lan0 ')" 2
}

# own_below WHAT DEVICE: a question with the MAC of the device below as its source.
in_ns sw nft -f - <<-'END'
table bridge disguise {
	chain source { type filter hook forward priority 10; }
}
END
own_below() {
	local mac
	mac=$(ip -n ep -br link show dev "$2" | awk '{ print $3 }')
	in_ns sw nft "add rule bridge disguise source ip daddr 10.8.0.9 ether saddr set $mac"
	is "$1: the MAC of $2 below is no gateway's" "$(moved ep learn_bad_mac ping1 h1 -W 1 10.8.0.9)" 1
	in_ns sw nft flush chain bridge disguise source
}

make_bond() {
	ip -n ep link add lan0 address $mac_ep type bond mode active-backup
	ip -n ep link set wire0 down
	ip -n ep link set wire0 master lan0
}
# Both slaves send, each with its own MAC, and ARP tells some neighbours the one, some the other.
make_alb() {
	ip -n ep link add lan0 address $mac_ep type bond mode balance-alb miimon 100
	link ep wire1 02:00:00:00:00:0b sw ep1 02:00:00:00:01:03
	ip -n sw link set ep1 master br0
	for wire in wire0 wire1; do
		ip -n ep link set $wire down
		ip -n ep link set $wire master lan0
	done
}
make_macvlan() {
	# else the device below answers ARP for the address above it
	in_ns ep sysctl -qw net.ipv4.conf.wire0.arp_ignore=1
	ip -n ep link add link wire0 name lan0 address $mac_ep type macvlan mode bridge
}
make_bridge() {
	ip -n ep link add lan0 address $mac_ep type bridge
	ip -n ep link set wire0 master lan0
}
make_vlan() {
	local n
	ip -n ep link add link wire0 name lan0 type vlan id 7
	for n in 1 2; do
		ip -n r$n addr flush dev lan0
		ip -n r$n link add link lan0 name lan7 type vlan id 7
		ip -n r$n link set lan7 up
		addresses r$n lan7 192.0.2.25$n/24 2001:db8:2::25$n/64
		ip -n r$n route replace 10.8.0.0/24 via 192.0.2.2
		ip -n r$n -6 route replace fd08::/64 via 2001:db8:2::2
	done
}

swap_lan0 make_bond
both_ways bond
swap_lan0 make_alb
# the switch counts one of the two cables only
for dest in 10.8.0.9 fd08::9; do
	for n in 1 2; do
		eventually "balance-alb: h$n is answered, $dest" ping1 h$n -W 1 $dest
	done
done
is "balance-alb: the gateways are on that device" "$(gwmark_file ep gateways | grep -c 'dev=lan0 ')" 2
own_below balance-alb wire1
ip -n ep link del wire1
swap_lan0 make_macvlan
both_ways macvlan
swap_lan0 make_bridge
both_ways "a bridge's own address"
own_below bridge wire0
wire_mac=$mac_ep swap_lan0 make_vlan
# the switch sees tags here, so its counters do not match addresses
for n in 1 2; do
	holds "VLAN: h$n is answered" ping1 h$n 10.8.0.9
	holds "VLAN: h$n is answered over IPv6" ping1 h$n fd08::9
done
is "VLAN: the gateways are on that device" "$(gwmark_file ep gateways | grep -c 'dev=lan0 ')" 2
# but for the two questions of own_below
is "nothing else fell through" "$(gwmark_file ep stats | awk '/^return_/ && !/^return_sent/ { s += $2 } END { print s }')" 2

# On-link sources are left to ARP, unless asked for.
ip -n r1 route add 10.8.0.0/24 via 192.0.2.2 2>/dev/null || true
is "a source that is on-link is no gateway" "$(moved ep learn_onlink ping1 r1 10.8.0.9)" 1
# a DHCPv6 client has its address as /128, and the prefix by a route
addresses r1 lan0 198.51.100.251/32 2001:db8:77::251/128
ip -n ep route add 198.51.100.0/24 dev lan0
ip -n ep -6 route add 2001:db8:77::/64 dev lan0
is "nor is one that is on-link by a route" "$(moved ep learn_onlink ping1 r1 -I 198.51.100.251 10.8.0.9)" 1
is "over IPv6 neither" "$(moved ep learn_onlink ping1 r1 -I 2001:db8:77::251 fd08::9)" 1
ip -n ep -6 route del 2001:db8:77::/64 dev lan0
is "without the route it is one" "$(moved ep learn_onlink ping1 r1 -I 2001:db8:77::251 fd08::9)" 0
control ep "set learn_onlink on"
holds "learn_onlink on: it is returned by MAC" test "$(moved ep return_sent ping1 r1 10.8.0.9)" = 1

# What is not ours.
marks_off
is "without marks nothing is counted" "$(moved ep learn_new ping1 h1 -W 1 10.8.0.9) $(moved ep return_sent ping1 h1 -W 1 10.8.0.9)" "0 0"
done_testing
