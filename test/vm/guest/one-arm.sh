# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# One arm. No router but r1 and r2 has a route to the VPN, and ep has none at all.
#
#   h1 10.1.0.9 --- r1 192.0.2.251 --+
#      fd01::9                       |
#                                    sw --- ep lan0 192.0.2.2 / 2001:db8:2::2
#   h2 10.2.0.9 --- r2 192.0.2.252 --+      ep tun0 10.8.0.1 / fd08::1
#      fd02::9                                   |
#                                           vc tun0 10.8.0.9 / fd08::9
#
# The tunnel is GRE: a device without link layer that carries both families.
# `sw` counts, in table bridge watch, what ep sends to the wire.

# shellcheck source=guest/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"

mac_ep=02:00:00:00:00:02 mac_r1=02:00:00:00:00:51 mac_r2=02:00:00:00:00:52

# one_arm_up [PARAMETER=VALUE...]: of the module
one_arm_up() {
	local n
	insmod_gwmark "$@"
	ns_create h1 h2 r1 r2 sw ep vc
	ip -n sw link add br0 type bridge
	links <<-END
		ep lan0 $mac_ep sw ep 02:00:00:00:01:02
		r1 lan0 $mac_r1 sw r1 02:00:00:00:01:51
		r2 lan0 $mac_r2 sw r2 02:00:00:00:01:52
		h1 eth0 02:00:00:00:00:11 r1 host0 02:00:00:00:00:1f
		h2 eth0 02:00:00:00:00:12 r2 host0 02:00:00:00:00:2f
	END
	ip -n sw -batch - <<-END
		link set br0 up
		link set ep master br0
		link set r1 master br0
		link set r2 master br0
	END
	addresses ep lan0 192.0.2.2/24 2001:db8:2::2/64
	for n in 1 2; do
		ip -n r$n -batch - <<-END
			addr add 192.0.2.25$n/24 dev lan0
			addr add 2001:db8:2::25$n/64 dev lan0 nodad
			addr add 10.$n.0.1/24 dev host0
			addr add fd0$n::1/64 dev host0 nodad
			route add 10.8.0.0/24 via 192.0.2.2
			route add fd08::/64 via 2001:db8:2::2
		END
		ip -n h$n -batch - <<-END
			addr add 10.$n.0.9/24 dev eth0
			addr add fd0$n::9/64 dev eth0 nodad
			route add default via 10.$n.0.1
			route add default via fd0$n::1
		END
	done
	forwarding r1 r2 ep
	tunnel_up
	watch_wire
}

# The tunnel between ep and vc, and vc's way back into it.
tunnel_up() {
	local ns own other last
	links <<<"ep under0 02:00:00:00:02:01 vc under0 02:00:00:00:02:02"
	for ns in ep:1:2:1 vc:2:1:9; do
		IFS=: read -r ns own other last <<<"$ns"
		ip -n "$ns" -batch - <<-END
			link set under0 mtu 9000
			addr add 172.16.0.$own/30 dev under0
			link add tun0 mtu 1500 type gre local 172.16.0.$own remote 172.16.0.$other
			link set tun0 up
			addr add 10.8.0.$last/24 dev tun0
			addr add fd08::$last/64 dev tun0 nodad
		END
	done
	ip -n vc route add default dev tun0
	ip -n vc -6 route add default dev tun0
}

insmod_gwmark() {
	modprobe -a nf_conntrack nf_defrag_ipv6 bridge veth ip_gre nf_tables
	insmod "$GWMARK_KO" "$@"
}

# What ep sends, by kind. An answer to someone's ARP is no question of ours.
watch_wire() {
	in_ns sw nft -f - <<-END
	table bridge watch {
		counter asks { }
		counter to_r1 { }
		counter to_r2 { }
		counter elsewhere { }
		chain pre {
			type filter hook prerouting priority -300
			iifname != "ep" accept
			# neighbours on the link are the kernel's own affair: r1 and r2 ask ep, and
			# ep checks who asked; a question for an answer's address is not
			arp operation request arp daddr ip 192.0.2.0/24 accept
			icmpv6 type nd-neighbor-solicit @th,64,64 { 0x20010db800020000, 0xfe80000000000000 } accept
			arp operation request counter name asks accept
			icmpv6 type nd-neighbor-solicit counter name asks accept
			ether type arp accept
			icmpv6 type { nd-neighbor-advert, nd-router-solicit, mld2-listener-report, mld-listener-report } accept
			# a bridge joins the snoopers' group when it comes up (RFC 4286)
			ip protocol igmp accept
			ether daddr $mac_r1 counter name to_r1 accept
			ether daddr $mac_r2 counter name to_r2 accept
			counter name elsewhere
		}
	}
	END
}

# wire_reset: counters of `sw` to zero.  wire: "asks r1 r2 elsewhere"
wire_reset() { in_ns sw nft reset counters table bridge watch >/dev/null; }
wire() {
	local text
	counters sw
	echo "asks=$(counter_of asks) r1=$(counter_of to_r1) r2=$(counter_of to_r2) elsewhere=$(counter_of elsewhere)"
}
# wire_some: the same, numbers as "some" and "none"
wire_some() { wire | sed -E 's/(r[12])=[1-9][0-9]*/\1=some/g; s/(r[12])=0/\1=none/g'; }

# The rules that the marks mean, for the VPN behind tun0.
marks_on() {
	in_ns ep nft -f - <<-'END'
	table inet gwmark {
		chain pre {
			type filter hook prerouting priority mangle
			iifname "lan0" ip daddr 10.8.0.0/24 meta mark set 0x32
			iifname "lan0" ip6 daddr fd08::/64 meta mark set 0x32
			iifname "lan0" meta l4proto udp th dport 1194 meta mark set 0x32
			iifname "tun0" ct direction reply meta mark set 0x32
			iifname "tun0" ct state related meta mark set 0x32
		}
		chain out {
			type filter hook output priority mangle
			meta l4proto udp th sport 1194 ct direction reply meta mark set 0x32
		}
	}
	END
}
marks_off() { in_ns ep nft delete table inet gwmark; }

# What ep says itself, OpenVPN's answers and ICMP errors, needs a route before
# netfilter can see it: behind all others, only for these, it leads to the wire.
own_routes() {
	local f
	for f in -4 -6; do
		ip -n ep $f rule add ipproto udp sport 1194 lookup 100
		ip -n ep $f route add default dev lan0 table 100
	done
	ip -n ep -4 rule add pref 32800 iif lo ipproto icmp lookup 100
	ip -n ep -6 rule add pref 32800 iif lo ipproto ipv6-icmp lookup 100
	in_ns ep nft add rule inet gwmark out ct state related ct direction reply meta mark set 0x32
}

# echo_servers: port 7 in vc, UDP and TCP, both families.
echo_servers() { peer vc echo:7; }
