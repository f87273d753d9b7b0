#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Sizes: path MTU, fragments, segmentation offload, and the hop limit.

# shellcheck source=guest/one-arm.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/one-arm.sh"
one_arm_up
marks_on
own_routes
control ep enable

# answer_size NS DEST:SIZE [SECONDS]: bytes of the answer of a server that answers any
# datagram on port SIZE with SIZE bytes; 0 if there is none.
answer_size() { ask "$1" "udp:$2" question "${3:-20}" | busybox wc -c; }
# dropped_answer NS DEST:SIZE COUNTER: what came of a question whose answer ep drops; it
# is waited for no longer than until the counter moved.
dropped_answer() {
	local before
	before=$(stat ep "$3")
	ask "$1" "udp:$2" question 30 >"$lab_tmp/answer" &
	until_true stat_above ep "$3" "$before"
	pause 0.3
	kill $! 2>/dev/null || true
	echo "$(busybox wc -c <"$lab_tmp/answer") bytes, counted $(($(stat ep "$3") - before))"
}
path_mtu() { ip -n vc route get "$1" | grep -o 'mtu [0-9]*' || echo none; }
icmp_in() { in_ns vc awk -v n="$1" '$1 == n { print $2 }' /proc/net/snmp6; }

# Questions stay small, because a veth drops what is larger than its own MTU on receipt.
peer vc sized:1450 sized:4000 source:9
transfer_size() { in_ns "$1" timeout 90 socat -u "TCP:$2:${3:-9}" - 2>/dev/null | wc -c; }

holds "an answer in fragments arrives whole" test "$(answer_size h1 10.8.0.9:4000)" = 4000
holds "an answer in IPv6 fragments arrives whole" test "$(answer_size h1 '[fd08::9]:4000')" = 4000
is "a question in fragments is answered" "$(in_ns h1 ping -n -c 1 -s 3000 -W 5 10.8.0.9 | grep -c 'bytes from')" 1
is "an IPv6 question in fragments is answered" "$(in_ns h1 ping -n -c 1 -s 3000 -W 5 fd08::9 | grep -c 'bytes from')" 1

# From here on the way back is narrower than the tunnel.
ip -n ep link set lan0 mtu 1400
is "before, the sender knows of no limit" "$(path_mtu 10.1.0.9)" none
is "an answer too large for the wire, with DF, is dropped, and counted" \
	"$(dropped_answer h1 10.8.0.9:1450 return_too_big)" "0 bytes, counted 1"
is "its sender believed the frag-needed" "$(path_mtu 10.1.0.9)" "mtu 1400"
is "and sends the next one in pieces" "$(answer_size h1 10.8.0.9:1450)" 1450
is "an IPv6 answer too large for the wire is dropped, and counted" \
	"$(dropped_answer h1 '[fd08::9]:1450' return_too_big)" "0 bytes, counted 1"
is "its sender believed the packet-too-big" "$(path_mtu fd01::9)" "mtu 1400"
is "and sends the next one in pieces" "$(answer_size h1 '[fd08::9]:1450')" 1450
is "a TCP transfer finds its size" "$(transfer_size h2 10.8.0.9)" 300000
is "a TCP transfer over IPv6 finds its size" "$(transfer_size h2 '[fd08::9]')" 300000

in_ns vc sysctl -qw net.ipv4.ip_no_pmtu_disc=1
ip -n vc route flush cache
peer vc sized:1451
is "without DF, ep cuts the answer itself" \
	"$(moved ep transmit_fragmented answer_size h2 10.8.0.9:1451)" 1
is "and it arrives whole" "$(answer_size h2 10.8.0.9:1451)" 1451
in_ns vc sysctl -qw net.ipv4.ip_no_pmtu_disc=0

# NAT between: the error's inner packet must be what the sender sent.
in_ns ep nft -f - <<-'END'
table inet nat {
	chain post { type nat hook postrouting priority srcnat; oifname "tun0" masquerade; }
}
END
ip -n vc route flush cache
is "masqueraded: an answer too large is dropped" \
	"$(dropped_answer h1 10.8.0.9:1450 return_too_big)" "0 bytes, counted 1"
is "masqueraded: its sender believed the frag-needed" "$(path_mtu 10.8.0.1)" "mtu 1400"
is "masqueraded: the next answer arrives" "$(answer_size h1 10.8.0.9:1450)" 1450
is "masqueraded: an IPv6 answer too large is dropped" \
	"$(dropped_answer h1 '[fd08::9]:1450' return_too_big)" "0 bytes, counted 1"
is "masqueraded: its sender believed the packet-too-big" "$(path_mtu fd08::1)" "mtu 1400"
in_ns ep nft delete table inet nat
in_ns ep conntrack -F >/dev/null 2>&1 || true

# Offload: the tunnel gives ep packets larger than any frame.
ip -n ep link set lan0 mtu 1500
ip -n vc route flush cache
packets=$(gateway_field ep $mac_r1 sent_packets) bytes=$(gateway_field ep $mac_r1 sent_bytes)
is "a transfer arrives whole" "$(transfer_size h1 10.8.0.9)" 300000
packets=$(($(gateway_field ep $mac_r1 sent_packets) - packets)) bytes=$(($(gateway_field ep $mac_r1 sent_bytes) - bytes))
holds "in GSO packets ($bytes bytes in $packets)" test $((bytes / packets)) -gt 1500
# GSO without DF that does not fit: cut in software, then in fragments
in_ns vc sysctl -qw net.ipv4.ip_no_pmtu_disc=1
ip -n ep link set lan0 mtu 1400
peer vc source:10
before=$(stat ep transmit_segmented)
is "a transfer without DF arrives whole" "$(transfer_size h1 10.8.0.9 10)" 300000
holds "cut by ep" test "$(stat ep transmit_segmented)" -gt "$before"
in_ns vc sysctl -qw net.ipv4.ip_no_pmtu_disc=0
ip -n ep link set lan0 mtu 1500

# Hops.
in_ns vc sysctl -qw net.ipv4.ip_default_ttl=1
is "an answer with TTL 1 ends at ep" "$(moved ep return_ttl_exceeded ping1 h1 -W 1 10.8.0.9)" 1
is "and its sender is told" "$(in_ns vc nstat -asz IcmpInTimeExcds | awk '/InTimeExcds/ { print $2 }')" 1
in_ns vc sysctl -qw net.ipv4.ip_default_ttl=64
in_ns vc sysctl -qw net.ipv6.conf.tun0.hop_limit=1
is "an IPv6 answer with hop limit 1 ends at ep" "$(moved ep return_ttl_exceeded ping1 h1 -W 1 fd08::9)" 1
is "and its sender is told" "$(icmp_in Icmp6InTimeExcds)" 1
in_ns vc sysctl -qw net.ipv6.conf.tun0.hop_limit=64
is "an answer loses one hop at ep and one at r1" \
	"$(in_ns h1 ping -n -c 1 -W 5 10.8.0.9 | grep -o 'ttl=[0-9]*')" ttl=62

# hop NS HOPS DEST: who says that the hop limit is exceeded.
hop() { in_ns "$1" ping -n -c 1 -W 5 -t "$2" "$3" | sed -n 's/^From \([^ ]*\) .*\(exceeded\).*/\1/p'; }
is "traceroute: the first hop is r1" "$(hop h1 1 10.8.0.9)" 10.1.0.1
is "the second is ep" "$(hop h1 2 10.8.0.9)" 192.0.2.2
is "the third is the client" "$(in_ns h1 ping -n -c 1 -W 5 -t 3 10.8.0.9 | grep -o 'bytes from 10.8.0.9\|From .*')" "bytes from 10.8.0.9"
is "traceroute over IPv6: the second hop is ep" "$(hop h1 2 fd08::9)" 2001:db8:2::2

# The other direction: the tunnel is narrower than the wire.
ip -n ep link set tun0 mtu 1400
holds "a question too large for the tunnel: its sender is told" \
	in_ns h1 bash -c "ping -n -c 1 -W 5 -M do -s 1450 10.8.0.9 | grep -q 'mtu *= *1400'"
holds "a question too large, IPv6" \
	in_ns h1 bash -c "ping -n -c 1 -W 5 -M do -s 1440 fd08::9 | grep -q 'mtu *= *1400'"

# OpenVPN's own packets: port 1450 stands for it. The path to h1 is narrower than the link, and r1 says so. The rules are
# those of decision 0350.
in_ns ep nft -f - <<-'END'
table inet gwmark {
	chain pre { iifname "lan0" udp dport 1450 meta mark set 0x32; }
	chain out { udp sport 1450 ct direction reply meta mark set 0x32; }
}
END
for family in -4 -6; do ip -n ep $family rule add ipproto udp sport 1450 lookup 100; done
ip -n r1 link set host0 mtu 1400
peer ep sized:1450

# told NAME: how often ep was told so, by a counter of nstat(8).
told() { in_ns ep nstat -asz "$1" | awk -v n="$1" '$1 == n { print $2 }'; }
told_above() { [ "$(told "$1")" -gt "$2" ]; }
# lost_answer DEST:SIZE NAME: as dropped_answer, of an answer of ep that r1 drops.
lost_answer() {
	local before
	before=$(told "$2")
	ask h1 "udp:$1" question 30 >"$lab_tmp/answer" &
	until_true told_above "$2" "$before"
	kill $! 2>/dev/null || true
	echo "$(busybox wc -c <"$lab_tmp/answer") bytes, told $(($(told "$2") - before))"
}
# ep_path DEST SOURCE: what ep knows of the path of such a packet.
ep_path() { ip -n ep route get "$1" from "$2" ipproto udp sport 1450 dport 9 | grep -o 'mtu [0-9]*' || echo none; }
ep_path_is() { [ "$(ep_path "$1" "$2")" = "$3" ]; }

for path in 10.1.0.9,192.0.2.2,192.0.2.2,IcmpInDestUnreachs,IPv4 fd01::9,2001:db8:2::2,[2001:db8:2::2],Icmp6InPktTooBigs,IPv6; do
	IFS=, read -r far own to name words <<<"$path"
	family=-4 protocol='ipproto udp'
	[ "$words" = IPv4 ] || family=-6 protocol=''
	is "own packets, $words: one that is too large for its path is lost" "$(lost_answer "$to:1450" "$name")" "0 bytes, told 1"
	is "... and the next one as well, where no look-up without ports leads anywhere" "$(lost_answer "$to:1450" "$name")" "0 bytes, told 1"
	is "... for nothing was stored" "$(ep_path "$far" "$own")" none
	ip -n ep $family rule add pref 40005 iif lo dport 1-65534 goto 40007
	# shellcheck disable=SC2086 # words
	ip -n ep $family rule add pref 40006 iif lo from "$own" $protocol lookup 100
	ip -n ep $family rule add pref 40007 nop
	is "... with the rules of 0350 it is lost once more" "$(lost_answer "$to:1450" "$name")" "0 bytes, told 1"
	eventually "... and stored" ep_path_is "$far" "$own" "mtu 1400"
	is "... so that the next one arrives, in pieces" "$(answer_size h1 "$to:1450")" 1450
done
done_testing
