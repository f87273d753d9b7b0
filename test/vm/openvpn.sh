#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# One arm with a real OpenVPN: the server in ep, its client in h2, the site behind
# r1. Neither ep nor the kernel knows a route to either of them.

# shellcheck source=guest/one-arm.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/one-arm.sh"
one_arm_up
modprobe tun
ip -n r1 route add 10.9.0.0/24 via 192.0.2.2
ip -n r1 -6 route add fd09::/64 via 2001:db8:2::2
openvpn --genkey secret "$lab_tmp/key" >/dev/null
# vpn NS DEV LOCAL REMOTE LOCAL6 REMOTE6 ARGS...
vpn() {
	local ns=$1 dev=$2
	background "$ns" openvpn --dev "$dev" --dev-type tun --secret "$lab_tmp/key" \
		--cipher AES-256-CBC --verb 1 \
		--ifconfig "$3" "$4" --ifconfig-ipv6 "$5/64" "$6" --ping 1 "${@:7}"
}
in_ns ep nft -f - <<-'END'
table inet gwmark {
	chain pre {
		type filter hook prerouting priority mangle
		iifname "lan0" ip daddr 10.9.0.0/24 meta mark set 0x32
		iifname "lan0" ip6 daddr fd09::/64 meta mark set 0x32
		iifname "lan0" udp dport 1194 meta mark set 0x32
		iifname "vpn0" ct direction reply meta mark set 0x32
		iifname "vpn0" ct direction original fib daddr type != local meta mark set 0x32
	}
	chain out {
		type filter hook output priority mangle
		udp sport 1194 ct direction reply meta mark set 0x32
	}
}
END
own_routes
control ep enable
vpn ep vpn0 10.9.0.1 10.9.0.9 fd09::1 fd09::9 --local 192.0.2.2 --lport 1194 --proto udp
wire_reset
vpn h2 vpn0 10.9.0.9 10.9.0.1 fd09::9 fd09::1 --remote 192.0.2.2 1194 --nobind --proto udp
until_true ip -n h2 link show dev vpn0 up
in_ns h2 ip route add 10.1.0.0/24 dev vpn0
in_ns h2 ip -6 route add fd01::/64 dev vpn0

eventually "the client reaches the server through the tunnel" ping1 h2 -W 1 10.9.0.1
is "OpenVPN's datagrams went to r2 alone, without ARP" \
	"$(wire | sed -E 's/r2=[1-9][0-9]*/r2=some/')" "asks=0 r1=0 r2=some elsewhere=0"
is "r2 became the uplink" "$(gateway_field ep $mac_r2 uplink)" 1
holds "the site reaches the client" ping1 h1 10.9.0.9
holds "and over IPv6" ping1 h1 fd09::9
is "answers of the tunnel went to r1 alone" "$(wire | grep -o 'r1=[0-9]*')" r1=2
peer h2 source:9
is "a TCP transfer from the client arrives whole" \
	"$(in_ns h1 timeout 120 socat -u TCP:10.9.0.9:9 - | wc -c)" 300000
# r2 is the uplink and leads to the internet; it knows the site by r1
ip -n r2 route add 10.1.0.0/24 via 192.0.2.251
ip -n r2 -6 route add fd01::/64 via 2001:db8:2::251
holds "a client reaches the site by itself, through the uplink" ping1 h2 10.1.0.9
holds "and over IPv6" ping1 h2 fd01::9
is "nobody was asked" "$(wire | grep -o 'asks=[0-9]*')" asks=0
holds "a mark on the tunnel device teaches no MAC" test "$(gwmark_file ep gateways | grep -c 'dev=vpn0' || true)" = 0
done_testing
