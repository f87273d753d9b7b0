#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# NAT and filtering: the firewall sees and changes what the module sends.

# shellcheck source=guest/one-arm.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/one-arm.sh"
one_arm_up
marks_on
control ep enable
echo_servers

in_ns ep nft -f - <<-'END'
table inet gwmark {
	chain forwarded_ports {
		type filter hook prerouting priority mangle
		iifname "lan0" meta l4proto { tcp, udp } th dport 8080 meta mark set 0x32
	}
}
table inet nat {
	chain pre {
		type nat hook prerouting priority dstnat
		iifname "lan0" meta nfproto ipv4 meta l4proto { tcp, udp } th dport 8080 dnat ip to 10.8.0.9:7
		iifname "lan0" meta nfproto ipv6 meta l4proto { tcp, udp } th dport 8080 dnat ip6 to [fd08::9]:7
	}
	chain post { type nat hook postrouting priority srcnat; }
}
table inet watch {
	counter forward { }
	counter post { }
	chain forwarding {
		type filter hook forward priority 0
		iifname "tun0" oifname "lan0" counter name forward
	}
	chain leaving {
		type filter hook postrouting priority 0
		oifname "lan0" meta mark & 0xff == 0x32 counter name post
	}
}
END

# both FAMILY-INDEPENDENT: one check for each protocol and family.
answered() {
	local what=$1 dest4=$2 dest6=$3 proto
	for proto in UDP TCP; do
		is "$what: $proto over IPv4 is answered" "$(ask h1 "$proto:$dest4" one)" one
		is "$what: $proto over IPv6 is answered" "$(ask h1 "$proto:$dest6" two)" two
	done
}

wire_reset
answered "port-forwarded" 192.0.2.2:8080 '[2001:db8:2::2]:8080'
is "and went to r1 alone, without ARP or ND" \
	"$(wire_some)" "asks=0 r1=some r2=none elsewhere=0"

in_ns ep nft add rule inet nat post oifname tun0 masquerade
background vc tcpdump -n -l -i tun0 -w "$lab_tmp/vc.pcap" -U
until_true test -s "$lab_tmp/vc.pcap"
answered "masqueraded" 10.8.0.9:7 '[fd08::9]:7'
answered "masqueraded and port-forwarded" 192.0.2.2:8080 '[2001:db8:2::2]:8080'
holds "masqueraded: ICMP is answered" ping1 h1 10.8.0.9
holds "masqueraded: ICMPv6 is answered" ping1 h1 fd08::9
is "the client side saw nobody but ep" \
	"$(tcpdump -nr "$lab_tmp/vc.pcap" 'host 10.1.0.9 or host fd01::9' 2>/dev/null | wc -l)" 0
holds "and did see ep" bash -c "tcpdump -nr '$lab_tmp/vc.pcap' 'src host 10.8.0.1' 2>/dev/null | grep -q ."

sent=$(stat ep return_sent)
is "FORWARD saw every packet, with both devices" "$(counted ep forward)" "$sent"
is "POST_ROUTING saw every packet" "$(counted ep post)" "$sent"

in_ns ep nft add rule inet watch forwarding iifname tun0 oifname lan0 icmp type echo-reply drop
refused "a FORWARD rule that drops the answer drops it" ping1 h1 -W 1 10.8.0.9
holds "and nothing else" ping1 h1 fd08::9
in_ns ep nft flush chain inet watch forwarding
holds "without the rule it passes" ping1 h1 10.8.0.9

# A verdict from user space: the packet waits in a queue, its gateway is forgotten.
in_ns ep nft add rule inet watch forwarding iifname tun0 oifname lan0 queue num 5 bypass
holds "a queue that nobody serves is bypassed" ping1 h1 10.8.0.9
done_testing
