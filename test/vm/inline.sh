#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Inline. Nobody has a route that mentions the VPN; guest/inline.sh has the picture.
# VLAN 10 runs through the same bridge, 198.51.100.0/24.

# shellcheck source=guest/inline.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/inline.sh"

insmod_gwmark
inline_up

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

inline_marks

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
is "a captured frame is counted" "$(moved ep capture_taken ping1 h1 10.8.0.9)" 1

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

# The MAC of a port is the bridge's own, too: what is sent to it needs no capture, and
# it is no router's.
ip -n r2 neigh replace 192.0.2.251 lladdr 02:00:00:00:03:01 dev lan0
is "a frame for the MAC of a port is for the bridge" "$(moved ep capture_own ping1 h1 10.8.0.9)" 1
is "that MAC is no gateway" "$(gateway_field ep 02:00:00:00:03:01 id)" ""
is "r1 is still the uplink" "$(gateway_field ep $mac_r1 uplink)" 1
ip -n r2 neigh del 192.0.2.251 dev lan0
until_true in_ns r2 busybox ping -c 1 -W 1 192.0.2.251

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
