#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Things go away under traffic: no complaint of the kernel, nothing leaks, and what
# routing could carry is carried.

# shellcheck source=guest/one-arm.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/one-arm.sh"
one_arm_up
marks_on
control ep enable
echo_servers

# Traffic without end: four streams of pings and a TCP echo, both families.
traffic_pids=()
traffic() {
	local dest n
	for n in 1 2; do
		for dest in 10.8.0.9 fd08::9; do
			background h$n ping -n -q -i 0.05 $dest
			traffic_pids+=("$background_pid")
		done
	done
	background h1 bash -c 'while :; do head -c 100000 /dev/zero | timeout 10 socat -t 2 - TCP:10.8.0.9:7; done'
	traffic_pids+=("$background_pid")
	until_true returns
}
# returns: packets are being returned right now.
returns() {
	local before
	before=$(stat ep return_sent)
	pause 0.3
	[ "$(stat ep return_sent)" -gt "$before" ]
}
traffic

for round in 1 2 3; do
	in_ns ep conntrack -F >/dev/null 2>&1
	eventually "round $round: conntrack flushed, traffic goes on" returns
	control ep flush
	eventually "round $round: gateways flushed, traffic goes on" returns
	ip -n ep link set lan0 down
	is "round $round: a device that is down has no gateways" "$(gateways_count ep)" 0
	ip -n ep link set lan0 up
	addresses ep lan0 2001:db8:2::2/64
	eventually "round $round: it is up again, traffic goes on" returns
	control ep disable
	control ep enable
	eventually "round $round: disabled and enabled, traffic goes on" returns
	timeout 30 ip -n ep link del lan0
	is "round $round: the device is gone" "$(ip -n ep -br link show dev lan0 2>/dev/null | wc -l)" 0
	is "round $round: and its gateways" "$(gateways_count ep)" 0
	link ep lan0 $mac_ep sw ep 02:00:00:00:01:02
	ip -n sw link set ep master br0
	addresses ep lan0 192.0.2.2/24 2001:db8:2::2/64
	eventually "round $round: a new device, traffic goes on" returns
	rmmod gwmark
	insmod "$GWMARK_KO"
	control ep enable
	# a flow older than the new life of the module learns with its next entry
	in_ns ep conntrack -F >/dev/null 2>&1 || true
	eventually "round $round: unloaded and loaded, traffic goes on" returns
done

# A gateway by hand whose carrier goes: routed normally, if there is a route.
ip -n ep route add default via 192.0.2.252
ip -n ep -6 route add default via 2001:db8:2::252
ip -n r2 route add 10.1.0.0/24 via 192.0.2.251
control ep flush
holds "gateway flushed and a route there: nothing is lost" ping1 h1 10.8.0.9

# With that route, what happens to the module costs no packet: what it cannot send is
# routed, and a question that finds it busy waits for nobody.
lossless() {
	local title=$1 pids=() dest said=$lab_tmp/lossless
	shift
	for dest in 10.8.0.9 fd08::9; do
		in_ns h1 ping -n -q -i 0.05 -c 100 -W 10 $dest >"$said.$dest" 2>&1 &
		pids+=($!)
	done
	until_true returns
	"$@"
	wait "${pids[@]}" || true
	for dest in 10.8.0.9 fd08::9; do
		is "$title: $dest, no packet is lost" "$(grep -o '[0-9]* received' "$said.$dest")" "100 received"
	done
}
conntrack_flush() { in_ns ep conntrack -F >/dev/null 2>&1; }
reload() {
	rmmod gwmark
	insmod "$GWMARK_KO"
	control ep enable
}
disable_enable() {
	control ep disable
	control ep enable
}
ip -n r1 neigh replace 192.0.2.2 lladdr $mac_ep dev lan0
ip -n r1 -6 neigh replace 2001:db8:2::2 lladdr $mac_ep dev lan0
ip -n r2 -6 route add fd01::/64 via 2001:db8:2::251
lossless "gateways flushed" control ep flush
lossless "disabled and enabled" disable_enable
lossless "conntrack flushed" conntrack_flush
lossless "unloaded and loaded" reload
rmmod gwmark
insmod "$GWMARK_KO" max_gateways=1
control ep enable
in_ns ep conntrack -F >/dev/null 2>&1 || true
eventually "with room for one gateway, one is learnt" config_is ep "gateways 1"
eventually "the others are counted" stat_above ep learn_table_full 0
holds "and routed: h1 is answered" ping1 h1 10.8.0.9
holds "and routed: h2 is answered" ping1 h2 10.8.0.9
holds "a flow without a gateway is counted" stat_above ep return_no_gateway 0

# The namespace goes, with everything in it, under traffic.
ns_delete ep
wire_gone() { ! ip -n sw link show ep; }
eventually "the namespace is gone, and its wire" wire_gone
is "another namespace is none the wiser" "$(gwmark_file sw config | sed -n 2p)" "enabled 0"
rmmod gwmark
for pid in "${traffic_pids[@]}"; do kill "$pid" 2>/dev/null || true; done
insmod "$GWMARK_KO"
holds "the module loads again" test -e /proc/net/gwmark/control
rmmod gwmark
done_testing
