# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Inline. ep is a bridge between a site and its router. Nobody has a route that
# mentions the VPN; not h1, not r2, not r1, not u, not ep.
#
#   h1 10.1.0.9 -- r2 192.0.2.252 -- [p1 ep br0 192.0.2.2 p2] -- r1 192.0.2.251 -- u 203.0.113.9
#                                       tun0 10.8.0.1
#                                            |
#                                       vc 10.8.0.9

# shellcheck source=one-arm.sh
. "$(dirname "${BASH_SOURCE[0]}")/one-arm.sh"

inline_up() {
	modprobe -a 8021q br_netfilter
	ns_create h1 r2 ep r1 u vc
	links <<-END
		h1 eth0 02:00:00:00:00:11 r2 host0 02:00:00:00:00:1f
		u eth0 02:00:00:00:00:12 r1 net0 02:00:00:00:00:2f
		r2 lan0 $mac_r2 ep p1 02:00:00:00:03:01
		r1 lan0 $mac_r1 ep p2 02:00:00:00:03:02
	END
	# Without STP too the kernel starts a port's forward delay, 15 s at whose end a port that was set to learning forwards
	# (br_make_forwarding, br_forward_delay_timer_expired): none.
	ip -n ep -batch - <<-END
		link add br0 address $mac_ep type bridge forward_delay 0
		link set br0 up
		link set p1 master br0
		link set p2 master br0
	END
	addresses ep br0 192.0.2.2/24 2001:db8:2::2/64
	addresses r2 lan0 192.0.2.252/24 2001:db8:2::252/64
	addresses r1 lan0 192.0.2.251/24 2001:db8:2::251/64
	addresses h1 eth0 10.1.0.9/24 fd01::9/64
	addresses r2 host0 10.1.0.1/24 fd01::1/64
	addresses u eth0 203.0.113.9/24 2001:db8:3::9/64
	addresses r1 net0 203.0.113.1/24 2001:db8:3::1/64
	forwarding r1 r2 ep
	for family in 4:10.1.0.1:192.0.2.251:203.0.113.1:10.1.0.0/24:192.0.2.252 6:fd01--1:2001-db8-2--251:2001-db8-3--1:fd01--/64:2001-db8-2--252; do
		IFS=: read -r f h1_via r2_via u_via site r1_via <<<"$family"
		ip -n h1 -$f route add default via "${h1_via//-/:}"
		ip -n r2 -$f route add default via "${r2_via//-/:}"
		ip -n u -$f route add default via "${u_via//-/:}"
		ip -n r1 -$f route add "${site//-/:}" via "${r1_via//-/:}"
	done
	tunnel_up
}

# What the marks mean, for the VPN behind tun0; and the routes of what ep says itself.
inline_marks() {
	in_ns ep nft -f - <<-'END'
	table bridge gwmark {
		chain pre {
			type filter hook prerouting priority -300
			ip daddr 10.8.0.0/24 meta mark set 0x32
			ip6 daddr fd08::/64 meta mark set 0x32
		}
	}
	table inet gwmark {
		chain pre {
			type filter hook prerouting priority mangle
			iifname "br0" meta l4proto udp th dport 1194 meta mark set 0x32
			iifname "tun0" ct direction reply meta mark set 0x32
			iifname "tun0" ct direction original fib daddr type != local meta mark set 0x32
		}
		chain out {
			type filter hook output priority mangle
			meta l4proto udp th sport 1194 ct direction reply meta mark set 0x32
			ct state related ct direction reply meta mark set 0x32
		}
	}
	END
	for f in -4 -6; do
		ip -n ep $f rule add ipproto udp sport 1194 lookup 100
		ip -n ep $f route add default dev br0 table 100
	done
}
