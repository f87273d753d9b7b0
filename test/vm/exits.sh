#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Exits of the module that no other test passes: what it will not learn from, what it
# will not send by MAC. Each is counted under its name, and the packet goes on.

# shellcheck source=guest/one-arm.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/one-arm.sh"
one_arm_up
in_ns ep nft -f - <<-'END'
table inet gwmark {
	chain untracked { type filter hook output priority raw; }
	chain pre {
		type filter hook prerouting priority mangle
		iifname "lan0" ip daddr 10.8.0.0/24 meta mark set 0x32
		iifname "lan0" ip6 daddr fd08::/64 meta mark set 0x32
		jump twist
		iifname "tun0" ct direction reply meta mark set 0x32
	}
	chain twist { }
	chain out {
		type filter hook output priority mangle
		icmp type { echo-request, echo-reply } meta mark set 0x32
		icmpv6 type { echo-request, echo-reply } meta mark set 0x32
	}
}
END
# Questions of VPN flows, as ep's cable brings them, are given another source MAC.
in_ns sw nft -f - <<-'END'
table bridge disguise {
	# behind br_netfilter, where another script loaded it
	chain source { type filter hook forward priority 10; }
}
END
control ep enable

# flow ID DEST: one question of the flow ID of h1, and its answer.
flow() { in_ns h1 ping -n -c 1 -W 1 -e "$1" "$2"; }

# A source MAC that nothing can be sent to.
id=100
for mac in $mac_ep 03:00:00:00:00:51 00:00:00:00:00:00; do
	in_ns sw nft -f - <<-END
	add rule bridge disguise source oifname "ep" ip daddr 10.8.0.9 ether saddr set $mac
	add rule bridge disguise source oifname "ep" ip6 daddr fd08::9 ether saddr set $mac
	END
	for dest in 10.8.0.9 fd08::9; do
		id=$((id + 1))
		is "nothing is learnt from the source MAC $mac, $dest" "$(moved ep learn_bad_mac flow $id $dest)" 1
		is "its answer has no gateway, $dest" "$(moved ep return_no_gateway flow $id $dest)" 1
	done
	in_ns sw nft flush chain bridge disguise source
done
is "no gateway was made of any of them" "$(gateways_count ep)" 0

for dest in 10.8.0.9 fd08::9; do
	is "the first gateway of a flow, $dest" "$(moved ep learn_new flow 110 $dest)" 1
	is "the same gateway again, $dest" "$(moved ep learn_known flow 110 $dest)" 1
done
is "each MAC is one gateway" "$(stat ep gateway_added)" 1

# The way in changes: h1 is behind r2 now.
links <<<"h1 eth1 02:00:00:00:00:13 r2 host1 02:00:00:00:00:3f"
addresses r2 host1 10.3.0.1/24 fd03::1/64
addresses h1 eth1 10.3.0.9/24 fd03::9/64
ip -n h1 -batch - <<-'END'
	route replace default via 10.3.0.1
	route replace default via fd03::1
END
ip -n r2 -batch - <<-'END'
	route add 10.1.0.9 via 10.3.0.9
	route add fd01::9 via fd03::9
END
for dest in 10.8.0.9:10.1.0.9 fd08--9:fd01--9; do
	from=${dest#*:} from=${from//-/:} dest=${dest%:*} dest=${dest//-/:}
	wire_reset
	is "another gateway of the same flow, $dest" "$(moved ep learn_changed in_ns h1 ping -n -c 1 -W 5 -e 110 -I "$from" "$dest")" 1
	is "its answer goes there, $dest" "$(wire_some)" "asks=0 r1=none r2=some elsewhere=0"
done

# Answers that a rule turns to where no router may send.
for to in 224.0.0.9 255.255.255.255 127.0.0.9 0.0.0.0; do
	in_ns ep nft "add rule inet gwmark twist iifname tun0 ip protocol icmp ip daddr set $to"
	is "an answer to $to is not sent to a router" "$(moved ep return_not_unicast flow 120 10.8.0.9)" 1
	in_ns ep nft flush chain inet gwmark twist
done
for to in ff0e::9 fe80::9 ::1; do
	in_ns ep nft "add rule inet gwmark twist iifname tun0 meta l4proto ipv6-icmp ip6 daddr set $to"
	is "an answer to $to is not sent to a router" "$(moved ep return_not_unicast flow 120 fd08::9)" 1
	in_ns ep nft flush chain inet gwmark twist
done

# A policy of IPsec that forbids the answer.
ip -n ep xfrm policy add src 10.8.0.9 dst 10.1.0.9 dir fwd action block
ip -n ep xfrm policy add src fd08::9 dst fd01::9 dir fwd action block
for dest in 10.8.0.9:10.1.0.9 fd08--9:fd01--9; do
	from=${dest#*:} from=${from//-/:} dest=${dest%:*} dest=${dest//-/:}
	is "an answer that an IPsec policy blocks, $dest" \
		"$(moved ep return_policy_drop in_ns h1 ping -n -c 1 -W 1 -e 130 -I "$from" "$dest")" 1
done
ip -n ep xfrm policy flush

# What ep says itself.
own_routes
for dest in 10.8.0.1 fd08::1; do
	is "an answer of ep itself, $dest" "$(moved ep output_sent flow 140 $dest)" 1
	before=$(stat ep output_not_unicast)
	holds "ep talks to itself, $dest" ping1 ep $dest
	holds "that is no affair of a router's, $dest" stat_above ep output_not_unicast "$before"
done
in_ns ep nft 'add rule inet gwmark untracked meta l4proto { icmp, ipv6-icmp } notrack'
for dest in 10.8.0.1 fd08::1; do
	is "an answer of ep itself that is not tracked, $dest" "$(moved ep output_no_conntrack flow 150 $dest)" 1
done
in_ns ep nft flush chain inet gwmark untracked

is "a gateway is removed" "$(moved ep gateway_removed control ep "gateway del lan0 $mac_r1")" 1
done_testing
