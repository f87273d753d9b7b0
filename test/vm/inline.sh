#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Inline. ep is a bridge between a site and its router. Nobody has a route that
# mentions the VPN; not h1, not r2, not r1, not u, not ep.
#
#   h1 10.1.0.9 -- r2 192.0.2.252 -- [p1 ep br0 192.0.2.2 p2] -- r1 192.0.2.251 -- u 203.0.113.9
#                                       tun0 10.8.0.1
#                                            |
#                                       vc 10.8.0.9
#
# VLAN 10 runs through the same bridge, 198.51.100.0/24.

# shellcheck source=guest/one-arm.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/one-arm.sh"

insmod_gwmark
modprobe -a 8021q br_netfilter
ns_create h1 r2 ep r1 u vc
links <<-END
	h1 eth0 02:00:00:00:00:11 r2 host0 02:00:00:00:00:1f
	u eth0 02:00:00:00:00:12 r1 net0 02:00:00:00:00:2f
	r2 lan0 $mac_r2 ep p1 02:00:00:00:03:01
	r1 lan0 $mac_r1 ep p2 02:00:00:00:03:02
END
ip -n ep -batch - <<-END
	link add br0 address $mac_ep type bridge
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

# What each router hears from the VPN, and what ep asks.
for r in r1 r2; do
	in_ns $r nft -f - <<-END
	table netdev watch {
		counter vpn { }
		counter asks { }
		counter passed { }
		counter changed { }
		chain ingress {
			type filter hook ingress device lan0 priority 0
			ip saddr 10.8.0.0/24 counter name vpn
			ip6 saddr fd08::/64 counter name vpn
			ether saddr $mac_ep meta pkttype broadcast arp operation request counter name asks
			ether saddr $mac_ep icmpv6 type nd-neighbor-solicit meta pkttype multicast counter name asks
			# a transfer between h1 and u that is no affair of ep's
			ip saddr { 10.1.0.9, 203.0.113.9 } tcp sport 81 jump judge
			ip saddr { 10.1.0.9, 203.0.113.9 } tcp dport 81 jump judge
		}
		chain judge {
			ether saddr { $mac_r1, $mac_r2 } ether daddr { $mac_r1, $mac_r2 } ip ttl 63 counter name passed accept
			counter name changed
		}
	}
	END
done
heard() {
	local text vpn1 asks
	counters r1
	vpn1=$(counter_of vpn) asks=$(counter_of asks)
	counters r2
	echo "r1=$vpn1 r2=$(counter_of vpn) asks=$((asks + $(counter_of asks)))"
}
passed_through() {
	local text r changed=0 passed=''
	for r in r1 r2; do
		counters $r
		changed=$((changed + $(counter_of changed)))
		[ "$(counter_of passed)" -eq 0 ] || passed+=" $r"
	done
	echo "changed=$changed passed at:$passed"
}
heard_reset() { in_ns r1 nft reset counters >/dev/null; in_ns r2 nft reset counters >/dev/null; }

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

refused "without the module, the VPN is out of reach" ping1 h1 -W 1 10.8.0.9
control ep enable

# inline_checks WHAT
inline_checks() {
	local what=$1 dest said
	for dest in 10.8.0.9 fd08::9; do
		heard_reset
		holds "$what: h1 reaches $dest" ping1 h1 $dest
		is "$what: the answer left by r2's port alone, nobody was asked" "$(heard)" "r1=0 r2=1 asks=0"
	done
	for dest in TCP:10.8.0.9:7 'TCP:[fd08::9]:7' UDP:10.8.0.9:7 'UDP:[fd08::9]:7'; do
		is "$what: $dest answers" "$(ask h1 "$dest" hello)" hello
	done
	holds "$what: what is not VPN passes" ping1 h1 203.0.113.9
	is "$what: it keeps its TTL: two routers, no more" \
		"$(in_ns h1 ping -n -c 1 -W 5 203.0.113.9 | grep -o 'ttl=[0-9]*')" ttl=62
	heard_reset
	is "$what: a transfer that is not VPN arrives whole" \
		"$(in_ns h1 timeout 60 socat -u TCP:203.0.113.9:81 - | wc -c)" 300000
	is "$what: with the MACs and the TTL of the routers, every frame" "$(passed_through)" "changed=0 passed at: r1 r2"
	for dest in 192.0.2.2 '[2001:db8:2::2]'; do
		heard_reset
		said=$(ask u "UDP:$dest:1194" hello)
		is "$what: ep answers u at $dest" "$said" hello
		is "$what: without asking anybody" "$(heard)" "r1=0 r2=0 asks=0"
	done
	holds "$what: a client reaches the site, through the uplink" ping1 vc 10.1.0.9
	holds "$what: and over IPv6" ping1 vc fd01::9
	for dest in TCP:10.1.0.9:8 'TCP:[fd01::9]:8' UDP:10.1.0.9:8 'UDP:[fd01::9]:8'; do
		is "$what: a client reaches $dest" "$(ask vc "$dest" hello)" hello
	done
}

echo_servers
peer ep echo:1194
peer h1 echo:8
peer u source:81

in_ns ep sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0
inline_checks "br_netfilter off"
is "flows know whom the frame was meant for" \
	"$(gwmark_file ep flows | grep -c "dst=10.8.0.9 .*destination=$(gateway_field ep $mac_r1 id)\$" | sed 's/[1-9][0-9]*/some/')" some
is "r1 is the uplink" "$(gateway_field ep $mac_r1 uplink)" 1

in_ns ep sysctl -qw net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1
inline_checks "br_netfilter on"

# What passes through the bridge and is marked anyway, br_netfilter on.
in_ns ep nft -f - <<-'END'
table inet passing {
	chain pre {
		type filter hook prerouting priority mangle
		ip daddr 203.0.113.9 ct direction original meta mark set 0x32
		ip saddr 203.0.113.9 ct direction reply meta mark set 0x32
	}
}
END
before=$(stat ep learn_bridged)
is "an answer that passes through is not ours to send" "$(moved ep return_bridged ping1 h1 203.0.113.9)" 1
holds "its question taught nothing" stat_above ep learn_bridged "$before"
holds "both pass" ping1 h1 203.0.113.9
in_ns ep nft delete table inet passing

# A frame that is no IP packet, marked by a rule that is too wide.
in_ns ep nft add rule bridge gwmark pre ether type arp meta mark set 0x32
before=$(stat ep capture_not_ip)
ip -n r2 neigh flush dev lan0
holds "ARP passes, mark or not" ping1 h1 203.0.113.9
holds "it is not captured, and counted" stat_above ep capture_not_ip "$before"
in_ns ep nft delete rule bridge gwmark pre handle \
	"$(in_ns ep nft -a list chain bridge gwmark pre | sed -nE 's/.*ether type arp.*handle ([0-9]+)$/\1/p')"

# The bridge down, its ports forwarding for the moment.
ip -n r2 neigh replace 192.0.2.251 lladdr $mac_r1 dev lan0
ip -n ep link set br0 down
in_ns ep bridge link set dev p1 state 3
is "a frame on a bridge that is down" "$(moved ep capture_bridge_down ping1 h1 -W 1 10.8.0.9)" 1
ip -n ep link set br0 up
ip -n r2 neigh del 192.0.2.251 dev lan0
until_true in_ns r2 busybox ping -c 1 -W 1 192.0.2.251
holds "up again, h1 reaches the VPN" ping1 h1 10.8.0.9

# The bridge must go on knowing where r2 is, though it sees no frame of r2.
ip -n ep link set br0 type bridge fdb_flush
is "the bridge has forgotten r2" "$(in_ns ep bridge fdb show | grep -c "^$mac_r2 dev p1 master br0 *$" || true)" 0
control ep "gateway del br0 $mac_r2"
ping1 h1 10.8.0.9 >/dev/null
ping1 h1 10.8.0.9 >/dev/null
bridge_knows() { grep -q "^$1 dev $2 master br0" <<<"$(in_ns ep bridge fdb show)"; }
holds "a captured frame told it where r2 is" bridge_knows $mac_r2 p1

# A VLAN tag through the bridge.
for r in r1:251 r2:252; do
	ip -n "${r%:*}" link add link lan0 name lan0.10 type vlan id 10
	ip -n "${r%:*}" link set lan0.10 up
	addresses "${r%:*}" lan0.10 198.51.100."${r#*:}"/24
done
ip -n r2 route replace default via 198.51.100.251
ip -n r1 route replace 10.1.0.0/24 via 198.51.100.252
is "a tagged frame without a VLAN device passes untouched" "$(moved ep capture_no_vlan ping1 h1 -W 1 10.8.0.9)" 1
ip -n ep link add link br0 name br0.10 type vlan id 10
ip -n ep link set br0.10 up
addresses ep br0.10 198.51.100.2/24
holds "a tagged frame is captured and answered" ping1 h1 10.8.0.9
is "its gateway is on the VLAN device" "$(gwmark_file ep gateways | grep -c "dev=br0.10 .*mac=$mac_r2 ")" 1
holds "tagged, what is not VPN passes" ping1 h1 203.0.113.9

rmmod gwmark
refused "the module unloaded, the VPN is out of reach" ping1 h1 -W 1 10.8.0.9
holds "what is not VPN still passes" ping1 h1 203.0.113.9
done_testing
