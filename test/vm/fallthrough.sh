#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What cannot be sent by MAC is routed where a route exists, and a counter says why.
# The route of ep leads over a second wire, lan1, to r2, which knows the way to h1.

# shellcheck source=guest/one-arm.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/one-arm.sh"
one_arm_up
links <<<"ep lan1 02:00:00:00:05:01 r2 lan1 02:00:00:00:05:02"
addresses ep lan1 192.0.3.2/24 2001:db8:4::2/64
addresses r2 lan1 192.0.3.252/24 2001:db8:4::252/64
# learn_onlink is off: r1 and r2 themselves are on the link, h1 and h2 are not
ip -n ep route add default via 192.0.3.252
ip -n ep -6 route add default via 2001:db8:4::252
ip -n r2 route add 10.1.0.0/24 via 192.0.2.251
ip -n r2 -6 route add fd01::/64 via 2001:db8:2::251
in_ns r2 nft -f - <<-'END'
table inet watch {
	counter routed { }
	chain pre {
		type filter hook prerouting priority 0
		iifname "lan1" ip saddr { 10.8.0.9, 10.8.0.1 } counter name routed
		iifname "lan1" ip6 saddr { fd08::9, fd08::1 } counter name routed
	}
}
END
in_ns ep nft -f - <<-'END'
table inet gwmark {
	chain untracked { type filter hook prerouting priority raw; }
	chain pre {
		type filter hook prerouting priority mangle
		jump orig
		iifname "tun0" meta mark set 0x32
	}
	chain orig { }
	chain out {
		type filter hook output priority mangle
		meta l4proto { icmp, ipv6-icmp } ct direction reply meta mark set 0x32
	}
}
END
questions_marked() {
	in_ns ep nft -f - <<-'END'
	flush chain inet gwmark orig
	add rule inet gwmark orig iifname "lan0" ip daddr 10.8.0.0/24 meta mark set 0x32
	add rule inet gwmark orig iifname "lan0" ip6 daddr fd08::/64 meta mark set 0x32
	END
}
questions_unmarked() { in_ns ep nft flush chain inet gwmark orig; }
untracked() { in_ns ep nft add rule inet gwmark untracked iifname "$1" meta l4proto '{ icmp, ipv6-icmp }' notrack; }
control ep enable

# flow ID DEST: one question of the flow ID of h1, and its answer.
flow() { in_ns h1 ping -n -c 1 -W 5 -e "$1" "${@:3}" "$2"; }
# sent TITLE COMMAND: the answer went by MAC.  fell TITLE COUNTER COMMAND: it was routed.
sent() {
	in_ns r2 nft reset counters >/dev/null
	holds "$1: answered" "${@:2}"
	is "$1: by MAC, not by the route" "$(counted r2 routed)" 0
}
fell() {
	local before
	in_ns r2 nft reset counters >/dev/null
	before=$(stat ep "$2")
	holds "$1: answered anyway" "${@:3}"
	is "$1: by the route, and $2 says why" \
		"routed $(counted r2 routed), counted $(($(stat ep "$2") - before))" "routed 1, counted 1"
}

id=100
for dest in 10.8.0.9 fd08::9; do
	id=$((id + 10))
	questions_unmarked
	fell "a flow that never learnt a gateway, $dest" return_no_gateway flow $id $dest
	questions_marked
	before=$(stat ep learn_renewed)
	sent "marks that come in the middle of a flow, $dest" flow $id $dest
	is "its entry was recreated, $dest" $(($(stat ep learn_renewed) - before)) 1
	in_ns ep nft add rule inet gwmark untracked ct zone set 7
	questions_unmarked
	flow $((id + 2)) $dest >/dev/null
	questions_marked
	fell "the same where the entry is in a zone, $dest" learn_too_late flow $((id + 2)) $dest
	in_ns ep nft flush chain inet gwmark untracked
	sent "a new flow, $dest" flow $((id + 1)) $dest
	questions_unmarked
	control ep flush
	fell "a gateway that was forgotten, $dest" return_gateway_gone flow $((id + 1)) $dest
	questions_marked
	sent "its flow goes on and learns it again, $dest" flow $((id + 1)) $dest
done
for dest in 10.8.0.1 fd08::1; do
	id=$((id + 10))
	questions_unmarked
	fell "an answer of ep itself without a gateway, $dest" output_no_gateway flow $id $dest
	questions_marked
	sent "an answer of ep itself, $dest" flow $((id + 1)) $dest
	questions_unmarked
	control ep flush
	fell "an answer of ep itself, its gateway forgotten, $dest" output_gateway_gone flow $((id + 1)) $dest
	questions_marked
done
fell "an answer with IPv4 options" return_options flow 150 10.8.0.9 -R

untracked tun0
fell "an answer that is not tracked" return_no_conntrack flow 151 10.8.0.9
fell "an answer that is not tracked, IPv6" return_no_conntrack flow 152 fd08::9
in_ns ep nft flush chain inet gwmark untracked
untracked lan0
is "a question that is not tracked is counted" "$(moved ep learn_no_conntrack flow 153 10.8.0.9)" 1
in_ns ep nft flush chain inet gwmark untracked

# A TCP connection that is older than its mark goes on: it does not become a new one of conntrack's,
# where filters drop what begins in the middle.
background vc socat TCP-LISTEN:9,reuseaddr,fork PIPE
listens() { in_ns vc ss -Htln "sport = :$1" | grep . >/dev/null; }
until_true listens 9
# talk_to FROM TO: a coprocess's two descriptors become `hear` and `say` alone, so that closing these ends it.
talk_to() {
	exec {hear}<&"$1" {say}>&"$2"
	eval "exec $1<&- $2>&-"
}
questions_unmarked
coproc connection { in_ns h1 socat - TCP:10.8.0.9:9; }
lab_pids+=("$connection_PID")
talk_to "${connection[0]}" "${connection[1]}"
echoed() {
	local line=''
	echo "$1" >&"$say" && read -r -t 10 -u "$hear" line && [ "$line" = "$1" ]
}
holds "a connection before the marks" echoed before
in_ns ep nft -f - <<-'END'
table inet strict {
	chain forward {
		type filter hook forward priority 0
		ct state new tcp flags & (fin | syn | rst | ack) != syn drop
	}
}
END
questions_marked
before=$(stat ep learn_too_late) renewed=$(stat ep learn_renewed)
holds "it goes on when they come" echoed after
holds "its entry is left as it is, and that is counted" stat_above ep learn_too_late "$before"
is "no entry was recreated" "$(stat ep learn_renewed)" "$renewed"
exec {say}>&- {hear}<&-
# a connection that nobody answered yet is at its beginning
in_ns vc nft 'add table ip deaf; add chain ip deaf in { type filter hook input priority 0; tcp dport 9 drop; }'
questions_unmarked
coproc opening { in_ns h1 socat - TCP:10.8.0.9:9; }
lab_pids+=("$opening_PID")
talk_to "${opening[0]}" "${opening[1]}"
asking() { in_ns ep conntrack -L -p tcp --state SYN_SENT 2>/dev/null | grep -c 'dport=9 ' >/dev/null; }
until_true asking
questions_marked
in_ns vc nft delete table ip deaf
eventually "one that begins is recreated" stat_above ep learn_renewed "$renewed"
holds "and goes on" echoed begun
exec {say}>&- {hear}<&-
in_ns ep nft delete table inet strict

# Forwarding off: routing does not carry it either, but says so.
in_ns ep sysctl -qw net.ipv4.conf.tun0.forwarding=0
is "forwarding is off" "$(moved ep return_forwarding_off flow 154 10.8.0.9 -W 1)" 1
in_ns ep sysctl -qw net.ipv4.conf.tun0.forwarding=1

# An ICMP error of the host is no question: nothing is learnt from it.
peer vc speak:5
speaker=$background_pid
before=$(stat ep learn_related)
ask h1 UDP:10.8.0.9:5 question >/dev/null
eventually "an ICMP error proves nothing, and is counted" stat_above ep learn_related "$before"
kill "$speaker"

# What a client begins.
control ep "uplink none"
before=$(stat ep uplink_routed)
holds "a client reaches h1 by a route" ping1 vc 10.1.0.9
holds "its own flow took the route, and is counted" stat_above ep uplink_routed "$before"
control ep "gateway add lan0 $mac_r1"
control ep "uplink lan0 $mac_r1"
ip -n ep route del default
is "without a route it takes the uplink" "$(moved ep uplink_sent ping1 vc 10.1.0.9)" 1
is "its answer tells its flow the way" "$(moved ep learn_answer ping1 vc 10.1.0.9)" 1
control ep "uplink none"
is "without either it is counted" "$(moved ep uplink_none ping1 vc -W 1 10.1.0.9)" 1
ip -n ep route add default via 192.0.3.252

# The wire has no carrier any more; the flow's questions come over the other one.
for dest in 10.8.0.9 fd08::9; do
	sent "before the cable is out, $dest" flow 160 $dest
done
for dest in 10.8.0.1 fd08::1; do
	sent "an answer of ep itself, before the cable is out, $dest" flow 170 $dest
done
ip -n sw link set ep down
ip -n r1 route replace 10.8.0.0/24 via 192.0.2.252
ip -n r1 -6 route replace fd08::/64 via 2001:db8:2::252
ip -n r2 route replace 10.8.0.0/24 via 192.0.3.2
ip -n r2 -6 route replace fd08::/64 via 2001:db8:4::2
for dest in 10.8.0.9 fd08::9; do
	fell "a wire without carrier, $dest" return_device_down flow 160 $dest
done
for dest in 10.8.0.1 fd08::1; do
	fell "an answer of ep itself, a wire without carrier, $dest" output_device_down flow 170 $dest
done
done_testing
