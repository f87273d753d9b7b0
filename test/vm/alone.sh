#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# With the module as the kernel alone: what the kernel would have done with a packet is
# not bypassed. Each probe runs twice, with the namespace disabled and enabled.

# shellcheck source=guest/one-arm.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/one-arm.sh"
one_arm_up
modprobe -qa esp4 esp6 xfrm_user || true
in_ns ep nft -f - <<-'END'
table inet gwmark {
	chain pre {
		type filter hook prerouting priority mangle
		iifname "lan0" ip daddr { 10.8.0.0/24, 10.8.1.0/24, 192.0.2.2 } meta mark set 0x32
		iifname "lan0" ip6 daddr fd08::/64 meta mark set 0x32
		iifname { "tun0", "tap0" } meta mark set 0x32
	}
	chain out {
		type filter hook output priority mangle
		icmp type echo-reply meta mark set 0x32
		icmpv6 type echo-reply meta mark set 0x32
	}
}
END
# What ep sends to the wire for h1 or for a place beyond.
in_ns sw nft -f - <<-'END'
table bridge seen {
	counter sealed { }
	counter clear { }
	chain pre {
		type filter hook prerouting priority -310
		iifname != "ep" accept
		meta l4proto esp counter name sealed
		ip daddr { 10.1.0.9, 10.9.0.0/24 } counter name clear
		ip6 daddr { fd01::9, fd09::/64 } counter name clear
	}
}
END
for f in 4:192.0.2.251 6:2001:db8:2::251; do
	ip -n ep -"${f%%:*}" route add default via "${f#*:}"
done
# the routers themselves are asked before anything is counted
holds "ep knows r1" ping1 ep 192.0.2.251
holds "ep knows r1, IPv6" ping1 ep 2001:db8:2::251

# alike TITLE EXPECTED COMMAND...: what the command prints, without the module's part
# and with it, r1 being the uplink.
alike() {
	local title=$1 expected=$2
	shift 2
	control ep disable
	is "$title: the kernel alone" "$("$@")" "$expected"
	# entries of before would be too old to learn
	in_ns ep conntrack -F >/dev/null 2>&1
	control ep enable
	control ep "uplink lan0 $mac_r1"
	is "$title: with the module" "$("$@")" "$expected"
}
# sees COMMAND...: what the wire saw of it.
sees() {
	local text
	in_ns sw nft reset counters table bridge seen >/dev/null
	"$@" >/dev/null 2>&1 || true
	text=$(in_ns sw nft list counters table bridge seen)
	echo "esp=$(counter_of sealed) clear=$(counter_of clear)"
}
# question NS DEST ID: one question, which may stay without answer.
question() { in_ns "$1" ping -n -c 1 -W 1 -e "$3" "$2"; }
counts() { holds "it is counted, $1" stat_above ep "$1" 0; }

# 1. Policies of IPsec: what shall be encrypted never leaves in clear text.
# tunnel SOURCE DESTINATION: what ep sends from one to the other leaves as ESP.
ipsec() {
	local from=192.0.2.2 to=192.0.2.251
	case $1 in *:*) from=2001:db8:2::2 to=2001:db8:2::251 ;; esac
	ip -n ep xfrm state add src $from dst $to proto esp spi 0x1001 mode tunnel \
		enc 'ecb(cipher_null)' '' auth digest_null ''
	ip -n ep xfrm policy add src "$1" dst "$2" dir out \
		tmpl src $from dst $to proto esp spi 0x1001 mode tunnel
}
ipsec_off() { ip -n ep xfrm policy flush; ip -n ep xfrm state flush; }

alike "an answer without a policy" "esp=0 clear=1" sees question h1 10.8.0.9 101
ipsec 10.8.0.0/24 10.1.0.0/24
alike "an answer that a policy wants encrypted" "esp=1 clear=0" sees question h1 10.8.0.9 102
alike "an answer of ep itself" "esp=1 clear=0" sees question h1 10.8.0.1 103
ipsec_off
ipsec fd08::/64 fd01::/64
alike "an answer that a policy wants encrypted, IPv6" "esp=1 clear=0" sees question h1 fd08::9 104
alike "an answer of ep itself, IPv6" "esp=1 clear=0" sees question h1 fd08::1 105
ipsec_off
counts return_ipsec
counts output_ipsec
# the policy matches only what NAT makes of the answer
in_ns ep nft -f - <<-'END'
table ip publish {
	chain pre { type nat hook prerouting priority dstnat; iifname "lan0" ip daddr 192.0.2.2 icmp type echo-request dnat to 10.8.0.9; }
	chain post { type nat hook postrouting priority srcnat; }
}
END
ip -n h1 route add 192.0.2.2 via 10.1.0.1
ip -n vc route add 192.0.2.2 dev tun0
ipsec 192.0.2.2/32 10.1.0.0/24
alike "an answer that a policy wants encrypted behind NAT" "esp=1 clear=0" sees question h1 192.0.2.2 106
counts transmit_ipsec
ipsec_off
in_ns ep nft delete table ip publish

# what came through IPsec has the MAC of the other end of a tunnel, and teaches none
ipsec_in() {
	ip -n r1 xfrm state add src 192.0.2.251 dst 192.0.2.2 proto esp spi 0x1002 mode tunnel \
		enc 'ecb(cipher_null)' '' auth digest_null ''
	ip -n r1 xfrm policy add src 10.1.0.0/24 dst 10.8.0.0/24 dir out \
		tmpl src 192.0.2.251 dst 192.0.2.2 proto esp spi 0x1002 mode tunnel
	ip -n ep xfrm state add src 192.0.2.251 dst 192.0.2.2 proto esp spi 0x1002 mode tunnel \
		enc 'ecb(cipher_null)' '' auth digest_null ''
	ip -n ep xfrm policy add src 10.1.0.0/24 dst 10.8.0.0/24 dir fwd \
		tmpl src 192.0.2.251 dst 192.0.2.2 proto esp mode tunnel
}
ipsec_in
is "a question that came through IPsec is not learnt" "$(moved ep learn_no_ethernet question h1 10.8.0.9 107)" 1
ip -n r1 xfrm policy flush
ip -n r1 xfrm state flush
ipsec_off

# 2. Routes that forbid.
for type in blackhole unreachable prohibit; do
	ip -n ep route add $type 10.9.0.0/24
	ip -n ep -6 route add $type fd09::/64
	for dest in 10.9.0.9 fd09::9; do
		alike "a client's packet to $dest by a route of type $type" "esp=0 clear=0" sees question vc $dest 110
	done
	ip -n ep route del $type 10.9.0.0/24
	ip -n ep -6 route del $type fd09::/64
done
ip -n ep route del default
ip -n ep -6 route del default
for dest in 10.9.0.9 fd09::9; do
	is "without any route it goes to the uplink, $dest" "$(sees question vc $dest 111)" "esp=0 clear=1"
done

# 3. Sources that nobody forwards.
is "a source like any other goes to the uplink" "$(sees question vc 10.1.0.9 120)" "esp=0 clear=1"
in_ns vc nft 'add table ip forge; add chain ip forge post { type filter hook postrouting priority 300; }'
forged() { in_ns vc nft "add rule ip forge post icmp type echo-request ip saddr set $1"; }
for source in 127.0.0.9 224.0.0.9 0.0.0.0 255.255.255.255 192.0.2.2 10.8.0.1 192.0.2.255; do
	forged $source
	alike "a client's packet from $source" "esp=0 clear=0" sees question vc 10.1.0.9 121
	in_ns vc nft flush chain ip forge post
done
counts return_bad_source
forged 172.31.0.9
is "a source that leads elsewhere, without rp_filter" "$(sees question vc 10.1.0.9 122)" "esp=0 clear=1"
in_ns ep sysctl -qw net.ipv4.conf.tun0.rp_filter=1
alike "a source that leads elsewhere, rp_filter=1" "esp=0 clear=0" sees question vc 10.1.0.9 123
in_ns ep sysctl -qw net.ipv4.conf.tun0.rp_filter=0
in_ns vc nft flush chain ip forge post
# an answer in the name of ep itself
ip -n h1 route replace 192.0.2.2 via 10.1.0.1
ip -n ep route add 10.1.0.0/24 via 192.0.2.251
impostor() {
	question h1 192.0.2.2 124 || true
	in_ns sw nft reset counters table bridge seen >/dev/null
	question vc 10.1.0.9 124
}
in_ns vc nft 'add rule ip forge post icmp type echo-request ip saddr set 192.0.2.2 icmp type set echo-reply'
alike "a client's answer from ep's own address" "esp=0 clear=0" sees impostor
in_ns vc nft delete table ip forge

# 5. Another program's flowtable, which asks routing for both ways.
# conversation DEST: how many of five datagrams of one flow are answered.
# shellcheck disable=SC2016 # expanded inside
conversation() {
	in_ns h1 bash -c 'exec 3<>"/dev/udp/$0/7" && for i in 1 2 3 4 5; do
		echo "$i" >&3
		busybox timeout 2 busybox dd bs=65536 count=1 status=none <&3
	done' "$1" | wc -l
}
# offloaded: flows in a flowtable.
offloaded() { { in_ns ep conntrack -L; in_ns ep conntrack -L -f ipv6; } 2>/dev/null | grep -c OFFLOAD || true; }
modprobe -qa nf_flow_table nf_flow_table_inet nft_flow_offload || true
in_ns ep nft -f - <<-'END'
table inet other {
	flowtable fast { hook ingress priority 0; devices = { lan0, tun0 }; }
	chain pass { type filter hook forward priority 0; udp dport 7 flow add @fast; udp sport 7 flow add @fast; }
}
END
peer vc echo:7
ip -n ep route del 10.1.0.0/24
for dest in 10.8.0.9 fd08::9; do
	is "beside a flowtable every question is answered, $dest" "$(conversation $dest)" 5
done
is "no flow that has a gateway is in it" "$(offloaded)" 0
control ep disable
ip -n ep route add 10.1.0.0/24 via 192.0.2.251
is "the kernel alone answers" "$(conversation 10.8.0.9)" 5
is "by a flow in the flowtable" "$(offloaded)" 1
control ep enable
in_ns ep nft delete table inet other

# 13. Frames for all.
links <<<"ep tap0 02:00:00:00:06:01 vc tap0 02:00:00:00:06:02"
addresses ep tap0 10.8.1.1/24
addresses vc tap0 10.8.1.9/24
ip -n vc route add 10.1.0.0/24 via 10.8.1.1
ip -n r1 route add 10.8.1.0/24 via 192.0.2.2
alike "an answer in a frame for ep" "esp=0 clear=1" sees question h1 10.8.1.9 131
ip -n vc neigh replace 10.8.1.1 lladdr ff:ff:ff:ff:ff:ff dev tap0
alike "an answer in a frame for all" "esp=0 clear=0" sees question h1 10.8.1.9 132
counts return_not_host
ip -n vc neigh del 10.8.1.1 dev tap0
ip -n r1 neigh replace 192.0.2.2 lladdr ff:ff:ff:ff:ff:ff dev lan0
alike "a question in a frame for all" "esp=0 clear=0" sees question h1 10.8.1.9 133
counts learn_not_host
done_testing
