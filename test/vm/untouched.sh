#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A flow without the marks: frame by frame, byte by byte, what it is without the module
# (but for the random IPv4 id and the checksum over it). ep is an ordinary router
# between r1 and r2 for it. The rules that mark VPN flows are there all the time.

# shellcheck source=guest/one-arm.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/one-arm.sh"
one_arm_up
ip -n r1 route add 10.2.0.0/24 via 192.0.2.2
ip -n r1 -6 route add fd02::/64 via 2001:db8:2::2
ip -n r2 route add 10.1.0.0/24 via 192.0.2.2
ip -n r2 -6 route add fd01::/64 via 2001:db8:2::2
ip -n ep route add 10.1.0.0/24 via 192.0.2.251
ip -n ep -6 route add fd01::/64 via 2001:db8:2::251
ip -n ep route add 10.2.0.0/24 via 192.0.2.252
ip -n ep -6 route add fd02::/64 via 2001:db8:2::252
# else ep tells the hosts a shorter way, and flow labels differ from socket to socket
in_ns ep sysctl -qw net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.lan0.send_redirects=0
for n in h1 h2; do in_ns $n sysctl -qw net.ipv6.auto_flowlabels=0; done
peer h2 echo:6666

# frames UDP-ADDRESS: all that passes ep's wire for one question and its answer (each
# comes in and goes out), and its conntrack entry, as text.
frames() {
	local dump=$lab_tmp/frames said=$lab_tmp/tcpdump answer
	in_ns ep conntrack -F >/dev/null 2>&1
	in_ns ep tcpdump -i lan0 --immediate-mode -c 4 -nn -t -xx 'udp port 6666' >"$dump" 2>"$said" &
	lab_pids+=($!)
	until_true grep -q 'listening on' "$said"
	answer=$(echo question | in_ns h1 socat -t 20 - "$1,sourceport=5555,readbytes=9")
	wait $! || return 1
	[ "$answer" = question ]
	sed -E '/^IP 10/,/^IP6/s/(0x0010:  [0-9a-f]{4}) [0-9a-f]{4} (.{9}) [0-9a-f]{4} /\1 (id) \2 (sum) /' "$dump"
	in_ns ep conntrack -L -p udp --orig-port-dst 6666 2>/dev/null |
		sed -E 's/^udp +17 [0-9]+ /udp /; s/(packets|bytes|id|use)=[0-9]+ ?//g'
}
counters_of() { gwmark_file ep stats; }

marks_on
declare -A before=()
for address in UDP4:10.2.0.9:6666 'UDP6:[fd02::9]:6666'; do
	frames "$address" >/dev/null # ARP and ND are done after this
	before[$address]=$(frames "$address")
done
control ep enable
stats=$(counters_of)
for address in UDP4:10.2.0.9:6666 'UDP6:[fd02::9]:6666'; do
	is "${address%%:*}: every byte of every frame, and the conntrack entry, as without the module" \
		"$(frames "$address")" "${before[$address]}"
done
is "ICMP passes" "$(in_ns h1 ping -n -c 1 -W 5 10.2.0.9 | grep -o 'ttl=[0-9]*')" ttl=61
is "ICMPv6 passes" "$(in_ns h1 ping -n -c 1 -W 5 fd02::9 | grep -o 'ttl=[0-9]*')" ttl=61
is "none has a label word" "$(gwmark_file ep flows)" "gwmark 1"
is "no counter moved" "$(counters_of)" "$stats"
is "no gateway is known" "$(gateways_count ep)" 0

# The same wire, at the same time, for the VPN.
holds "a flow with marks is sent by MAC" test "$(moved ep return_sent ping1 h1 10.8.0.9)" = 1
is "it alone has a label word" "$(gwmark_file ep flows | grep -c source=)" 1
for address in UDP4:10.2.0.9:6666 'UDP6:[fd02::9]:6666'; do
	is "${address%%:*}: and the other is still as it was" "$(frames "$address")" "${before[$address]}"
done
done_testing
