#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Capture does not get around the bridge: what it takes from no port, it takes for the
# VPN from none either. Each probe runs without the module's part and with it.

# shellcheck source=guest/inline.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/inline.sh"

insmod_gwmark
inline_up
inline_marks
in_ns ep sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0
# What of the VPN comes out of the bridge on the other side.
in_ns r1 nft -f - <<-'END'
table netdev watch {
	counter vpn { }
	chain ingress {
		type filter hook ingress device lan0 priority 0
		ip daddr 10.8.0.0/24 counter name vpn
		ip6 daddr fd08::/64 counter name vpn
	}
}
END
ip -n r2 neigh replace 192.0.2.251 lladdr $mac_r1 dev lan0
ip -n r2 -6 neigh replace 2001:db8:2::251 lladdr $mac_r1 dev lan0
control ep enable

# passes DEST: "through" if the question came out at r1, "answered", or "stopped".
passes() {
	in_ns r1 nft reset counters >/dev/null
	if ping1 h1 -W 1 "$1" >/dev/null; then
		echo answered
	elif [ "$(counted r1 vpn)" -ne 0 ]; then
		echo through
	else
		echo stopped
	fi
}
# both TITLE ALONE WITH: what becomes of a question, both families.
both() {
	local dest
	for dest in 10.8.0.9 fd08::9; do
		control ep disable
		is "$1: the bridge alone, $dest" "$(passes $dest)" "$2"
		control ep enable
		is "$1: with the module, $dest" "$(passes $dest)" "$3"
	done
}

both "a port that forwards" through answered
# no capture goes without the bridge's own knowledge of its sender
ip -n ep link set br0 type bridge fdb_flush
ping1 h1 10.8.0.9 >/dev/null
bridge_knows() { grep -q "^$1 dev $2 .*master br0" <<<"$(in_ns ep bridge fdb show)"; }
holds "the bridge learns where a captured frame came from" bridge_knows $mac_r2 p1
received() {
	local proc
	lab_anchor ep
	awk '$1 == "br0:" { print $3 }' "$proc/net/dev"
}
before=$(received)
ping1 h1 10.8.0.9 >/dev/null
holds "and counts it" test "$(received)" -gt "$before"

in_ns ep bridge link set dev p1 state 2
both "a port that learns (STP)" stopped stopped
in_ns ep bridge link set dev p1 state 3

if in_ns ep bridge link set dev p1 locked on 2>/dev/null; then
	ip -n ep link set br0 type bridge fdb_flush
	both "a locked port (802.1X), a sender that nobody let in" stopped stopped
	in_ns ep bridge fdb replace $mac_r2 dev p1 master static
	both "the same, let in" through answered
	in_ns ep bridge fdb del $mac_r2 dev p1 master
	in_ns ep bridge link set dev p1 locked off
fi

ip -n ep link set br0 type bridge vlan_filtering 1
both "VLANs are filtered, all in the same one" through answered
in_ns ep bridge vlan del vid 1 dev p1
both "a port that takes no frame without a tag" stopped stopped
in_ns ep bridge vlan add vid 20 dev p1 pvid untagged
in_ns ep bridge vlan add vid 20 dev p2 pvid untagged
both "a VLAN that the bridge itself is not in" through through
holds "that is counted" stat_above ep capture_no_vlan 0
in_ns ep bridge vlan add vid 20 dev br0 self
both "a VLAN that no device of the bridge shows" through through
ip -n ep link add link br0 name br0.20 type vlan id 20
ip -n ep link set br0.20 up
addresses ep br0.20 198.51.100.2/24
# before 5.16 a bridge does not say which VLANs it is in, but for that of untagged frames
if [[ $(uname -r) != 5.10.* ]]; then
	both "a VLAN of untagged ports, shown by a device" through answered
	is "its gateway is on that device" "$(gateway_field ep $mac_r2 dev)" br0.20
fi
done_testing
