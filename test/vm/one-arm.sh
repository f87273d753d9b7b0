#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# One arm: every answer goes back through the router that its question came from.

# shellcheck source=guest/one-arm.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/one-arm.sh"
one_arm_up
refused "without the module's part, an answer finds no way (IPv4)" ping1 h1 -W 1 10.8.0.9
marks_on
control ep enable

# the counter that must stay at 0 below does count
ip -n ep route add default dev lan0
ip -n ep -6 route add default dev lan0
control ep disable
ping1 h1 -W 1 10.8.0.9 >/dev/null 2>&1 || true
holds "a bare route without the module asks ARP for h1" test "$(counted sw asks)" -ge 1
wire_reset
ping1 h1 -W 1 fd08::9 >/dev/null 2>&1 || true
holds "and ND" test "$(counted sw asks)" -ge 1
ip -n ep route del default dev lan0
ip -n ep -6 route del default dev lan0
# an unanswered question is repeated for three seconds
ip -n ep neigh flush dev lan0
ip -n ep -6 neigh flush dev lan0
is "no question is open" "$(ip -n ep neigh show nud incomplete; ip -n ep -6 neigh show nud incomplete)" ""
control ep enable

for n in 1 2; do
	wire_reset
	holds "ICMP from h$n is answered" ping1 h$n 10.8.0.9
	is "its answer went to r$n, without ARP" "$(wire)" \
		"asks=0 r1=$((2 - n)) r2=$((n - 1)) elsewhere=0"
	wire_reset
	holds "ICMPv6 from h$n is answered" ping1 h$n fd08::9
	is "its answer went to r$n, without ND" "$(wire)" \
		"asks=0 r1=$((2 - n)) r2=$((n - 1)) elsewhere=0"
done

echo_servers
for port in udp:10.8.0.9 udp:fd08::9 tcp:10.8.0.9 tcp:fd08::9; do
	case $port in *fd08*) dest="[${port#*:}]" ;; *) dest=${port#*:} ;; esac
	proto=${port%%:*}
	for n in 1 2; do
		wire_reset
		is "$proto to $dest from h$n is answered" "$(ask h$n "$proto:$dest:7" "hello $n")" "hello $n"
		is "no ARP or ND, nothing astray" "$(wire_some)" \
			"$([ $n = 1 ] && echo asks=0 r1=some r2=none elsewhere=0 || echo asks=0 r1=none r2=some elsewhere=0)"
	done
done

is "each router is one gateway" "$(gateways_count ep)" 2
is "r1 is known by the device of its frames" "$(gateway_field ep $mac_r1 dev)" lan0
flow_listed() { gwmark_file ep flows | grep "src=10.1.0.9 dst=10.8.0.9 .*source=$(gateway_field ep $mac_r1 id) destination=0"; }
holds "flows are listed with the gateway's id" flow_listed
is "files begin with the ABI" \
	"$(for f in control config gateways flows stats; do gwmark_file ep $f | head -1; done | sort -u)" "gwmark 1"

# OpenVPN's own answers: a socket of ep, which needs a route before netfilter.
own_routes
peer ep echo:1194
for n in 1 2; do
	for dest in 192.0.2.2 '[2001:db8:2::2]'; do
		wire_reset
		is "ep itself answers h$n from $dest" "$(ask h$n "UDP:$dest:1194" "hello $n")" "hello $n"
		is "through r$n, without ARP or ND" "$(wire)" "asks=0 r1=$((2 - n)) r2=$((n - 1)) elsewhere=0"
	done
done

is "a flow without marks has no label word" \
	"$(ping1 r1 192.0.2.2 >/dev/null; gwmark_file ep flows | grep -c 'src=192.0.2.251' || true)" 0

control ep disable
refused "disabled, nothing is answered" ping1 h1 -W 1 10.8.0.9
control ep enable
holds "enabled again, it is" ping1 h1 10.8.0.9
rmmod gwmark
refused "unloaded, nothing is answered" ping1 h1 -W 1 10.8.0.9
done_testing
