# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# The namespace of debug/fuzz, with the devices that it opens itself:
#
#   routers and hosts, made up -- [ lan0  ep  tun0 ] -- clients, made up
#   the same                   -- [ p1, p2: br0    ]

# shellcheck source=lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/lab.sh"

LAB_LINK_UP=$(dirname "${BASH_SOURCE[0]}")/fuzz-link.sh
export LAB_LINK_UP
program=${LAB_FUZZ:?runs in test/vm/debug-kernel, which builds its program}

# rules NAME: a ruleset that marks what is the VPN's, with what stdin adds.
rules() {
	cat - "$lab_tmp/marks" >"$lab_tmp/$1.nft"
	in_ns ep nft -c -f "$lab_tmp/$1.nft"
	echo "nft -f $lab_tmp/$1.nft" >>"$lab_tmp/commands"
}

fuzz_up() {
	modprobe -a 8021q br_netfilter
	insmod "$GWMARK_KO"
	ns_create ep
	ip -n ep link add br0 address 02:00:00:00:03:00 type bridge
	forwarding ep
	in_ns ep sysctl -qw net.netfilter.nf_conntrack_tcp_be_liberal=1
	# of what this host says itself, a route to the bare wire
	for f in -4 -6; do
		ip -n ep $f rule add ipproto udp sport 1194 lookup 100
		ip -n ep $f rule add ipproto udp sport 1195 lookup 100
	done
	ip -n ep -4 rule add pref 32800 iif lo ipproto icmp lookup 100
	ip -n ep -6 rule add pref 32800 iif lo ipproto ipv6-icmp lookup 100
	control ep enable
	cat >"$lab_tmp/marks" <<-'END'
	table bridge gwmark {
		chain pre {
			type filter hook prerouting priority -300
			ip daddr 10.8.0.0/24 meta mark set 0x32
			ip6 daddr fd08::/64 meta mark set 0x32
			arp operation request limit rate 1/second meta mark set 0x32
		}
	}
	table inet gwmark {
		chain pre {
			type filter hook prerouting priority mangle
			iifname { "lan0", "br0", "lan0.7" } ip daddr 10.8.0.0/24 meta mark set 0x32
			iifname { "lan0", "br0", "lan0.7" } ip6 daddr fd08::/64 meta mark set 0x32
			iifname { "lan0", "br0" } udp dport { 1194, 1195 } meta mark set 0x32
			iifname "tun0" meta mark set 0x32
			ct direction reply meta mark set 0x32
		}
		chain in {
			type filter hook forward priority mangle
			ct status dnat iifname "lan0" meta mark set 0x32
		}
		chain out {
			type filter hook output priority mangle
			udp sport { 1194, 1195 } meta mark set 0x32
			ct state related ct direction reply meta mark set 0x32
			icmp type { echo-reply, echo-request } meta mark set 0x32
			icmpv6 type { echo-reply, echo-request } meta mark set 0x32
			meta l4proto tcp meta mark set 0x32
		}
	}
	END
}

# All that happens beside the frames, one command a line.
fuzz_commands() {
	# the rules name devices that the program has not opened yet
	ip -n ep -batch - <<-'END'
		link add lan0 type veth peer name tun0
	END
	rules plain <<<'flush ruleset'
	in_ns ep nft -f "$lab_tmp/plain.nft"
	rules nat <<-'END'
	flush ruleset
	table inet other {
		chain pre { type nat hook prerouting priority dstnat; ip daddr 192.0.2.2 tcp dport 1195 dnat ip to 10.8.0.9:7; ip daddr 192.0.2.2 udp dport 1195 dnat ip to 10.8.0.9:7; ip6 daddr 2001:db8:2::2 udp dport 1195 dnat ip6 to [fd08::9]:7; }
		chain post { type nat hook postrouting priority srcnat; oifname "lan0" ip saddr 10.8.0.0/25 masquerade; oifname "lan0" ip6 saddr fd08::/64 snat ip6 to 2001:db8:2::2; oifname "tun0" ip saddr 10.2.0.0/16 masquerade; }
	}
	END
	rules drop <<-'END'
	flush ruleset
	table inet other {
		chain pass { type filter hook forward priority 0; numgen random mod 3 == 0 drop; numgen random mod 7 == 0 reject; }
		chain post { type filter hook postrouting priority 0; numgen random mod 5 == 0 drop; }
	}
	END
	rules mixed <<-'END'
	flush ruleset
	table inet other {
		ct helper ftp-standard { type "ftp" protocol tcp; }
		chain raw { type filter hook prerouting priority raw; numgen random mod 8 == 0 notrack; }
		chain rawout { type filter hook output priority raw; numgen random mod 4 == 0 notrack; }
		chain pre { type filter hook prerouting priority 0; tcp dport 21 ct helper set "ftp-standard"; numgen random mod 8 == 0 ct label set 70; }
		chain pass { type filter hook forward priority 0; numgen random mod 8 == 0 queue num 5 bypass; numgen random mod 16 == 0 queue num 5; ct state new limit rate 50/second accept; }
		chain post { type filter hook postrouting priority 0; numgen random mod 8 == 0 queue num 5 bypass; meta mark set numgen random mod 60; }
	}
	END
	rules twisted <<-'END'
	flush ruleset
	table inet other {
		chain pre {
			type filter hook prerouting priority 10
			iifname "tun0" numgen random mod 8 == 0 ip daddr set 224.0.0.9
			iifname "tun0" numgen random mod 8 == 0 ip6 daddr set ff0e::9
			iifname "tun0" numgen random mod 8 == 0 ip ttl set 1
			iifname "tun0" numgen random mod 8 == 0 ip daddr set 192.0.2.2
			numgen random mod 8 == 0 meta pkttype set broadcast
			numgen random mod 8 == 0 meta mark set 0x32
		}
	}
	END
	rules zones <<-'END'
	flush ruleset
	table inet other {
		chain pre { type filter hook prerouting priority raw; numgen random mod 2 == 0 ct zone set 5; }
	}
	table netdev other {
		chain in { type filter hook ingress device lan0 priority 0; numgen random mod 16 == 0 dup to br0; numgen random mod 16 == 0 fwd to tun0; meta mark set 0x32; }
	}
	END
	rules flowtable <<-'END'
	flush ruleset
	table inet other {
		flowtable fast { hook ingress priority 0; devices = { lan0, tun0 }; }
		chain pass { type filter hook forward priority 0; meta l4proto { tcp, udp } flow add @fast; }
	}
	END
	ip -n ep link del lan0
	echo 'nft flush ruleset' >>"$lab_tmp/commands"
	cat >>"$lab_tmp/commands" <<-'END'
	conntrack -F
	conntrack -F
	conntrack -D -p udp
	ip link set lan0 down
	ip link set lan0 down; ip link set lan0 up
	ip link set br0 down; ip link set br0 up
	ip link set tun0 down; ip link set tun0 up
	ip link set p1 nomaster
	ip link del lan0.7
	ip link set lan0 mtu 1280
	ip link set lan0 mtu 1400
	ip link set lan0 mtu 576
	ip link set lan0 mtu 9000
	ip link set tun0 mtu 9000; ip link set lan0 mtu 600
	ip link set lan0 address 02:00:00:00:00:03
	ip link set br0 type bridge vlan_filtering 1
	ip link set br0 type bridge vlan_filtering 0
	ip link set br0 type bridge stp_state 1
	ip link set br0 type bridge stp_state 0
	ip addr flush dev lan0
	ip route add default via 192.0.2.252; ip -6 route add default via 2001:db8:2::252
	ip route del default; ip -6 route del default
	ip route replace blackhole 10.1.0.0/24; ip -6 route replace unreachable fd01::/64
	ip route del blackhole 10.1.0.0/24; ip -6 route del unreachable fd01::/64
	ip xfrm policy add src 10.8.0.0/24 dst 10.1.0.0/24 dir fwd action block; ip xfrm policy add src fd08::/64 dst fd01::/64 dir fwd action block
	ip xfrm policy add src 10.8.0.0/24 dst 10.2.0.0/24 dir fwd; ip xfrm policy add src fd08::/64 dst fd02::/64 dir fwd
	ip xfrm state add src 192.0.2.2 dst 192.0.2.251 proto esp spi 0x1001 mode tunnel enc 'ecb(cipher_null)' '' auth digest_null ''; ip xfrm policy add src 10.8.0.0/24 dst 0.0.0.0/0 dir out tmpl src 192.0.2.2 dst 192.0.2.251 proto esp spi 0x1001 mode tunnel
	ip xfrm policy add src 192.0.2.2 dst 10.1.0.0/16 dir out tmpl proto esp mode transport
	ip xfrm policy add src fd08::/64 dst ::/0 dir out action block
	ip xfrm policy flush; ip xfrm state flush
	ip xfrm policy flush; ip xfrm state flush
	sysctl net.ipv4.ip_forward=0
	sysctl net.ipv6.conf.all.forwarding=0
	sysctl net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	sysctl net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	sysctl net.ipv4.conf.tun0.rp_filter=1
	sysctl net.ipv4.conf.tun0.rp_filter=2 net.ipv4.conf.tun0.accept_local=1
	sysctl net.ipv4.conf.tun0.rp_filter=0 net.ipv4.conf.tun0.accept_local=0
	sysctl net.ipv6.conf.lan0.disable_ipv6=1
	sysctl net.ipv6.conf.lan0.disable_ipv6=0; ip -6 addr add 2001:db8:2::2/64 dev lan0 nodad
	sysctl net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1
	sysctl net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0
	sysctl net.netfilter.nf_conntrack_max=20
	sysctl net.netfilter.nf_conntrack_max=65536
	sysctl net.netfilter.nf_conntrack_acct=1
	tc qdisc replace dev lan0 root netem delay 20ms
	END
}
