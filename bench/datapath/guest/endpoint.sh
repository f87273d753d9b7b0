# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# An endpoint in a namespace of its own, one for each way to send answers back:
#
#   hosts 10.1.0.x --- r1 192.0.2.251 --- lan0 [endpoint] tun0 --- client 10.8.0.9
#                                              [endpoint] lan1 --- host 198.51.100.9
#
# All three devices are dummies: what they are given to send ends there, so that
# a measurement has the endpoint's own work in it and nothing else. tun0 has a
# link layer because the generator wants one; no datapath looks at that.

readonly mac_lan0=02:00:00:00:00:02 mac_tun0=02:00:00:00:00:08 mac_lan1=02:00:00:00:00:03
readonly mac_r1=02:00:00:00:00:51 mac_r2=02:00:00:00:00:52 mac_client=02:00:00:00:00:09 mac_host=02:00:00:00:00:0a
readonly r1=192.0.2.251 client=10.8.0.9 host=198.51.100.9

# device NS DEV MAC ADDRESS NEIGHBOUR MAC
device() {
	ip -n "$1" link add "$2" address "$3" type dummy
	ip -n "$1" link set "$2" arp on up
	ip -n "$1" addr add "$4" dev "$2"
	ip -n "$1" neigh add "$5" lladdr "$6" dev "$2" nud permanent
}

# endpoint NS: conntrack on, forwarding on, no rule at all.
endpoint() {
	ip netns add "$1"
	# IPv6 would say something of its own now and then, and every packet is counted.
	ip netns exec "$1" sysctl -qw net.ipv6.conf.default.disable_ipv6=1 \
		net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 net.ipv4.ip_forward=1 \
		net.netfilter.nf_conntrack_udp_timeout=86400 net.netfilter.nf_conntrack_udp_timeout_stream=86400
	ip -n "$1" link set lo up
	device "$1" lan0 $mac_lan0 192.0.2.2/24 $r1 $mac_r1
	device "$1" tun0 $mac_tun0 10.8.0.1/24 $client $mac_client
	device "$1" lan1 $mac_lan1 198.51.100.1/24 $host $mac_host
	# A chain that no packet passes: a rule that asks for conntrack switches it on.
	ip netns exec "$1" nft -f - <<-'END'
	table inet bench_conntrack {
		chain unused {
			ct state established
		}
	}
	END
}

# static_route NS: the way back to the hosts that everybody would configure.
static_route() { ip -n "$1" route add 10.1.0.0/16 via $r1; }

# install NS DATAPATH: rules, routes and switches, as the sidecar compiles them.
install() {
	ip netns exec "$1" nft -f "$files/$2.nft"
	ip -n "$1" -batch "$files/$2.ip"
	[ "$2" != module ] || while read -r line; do control "$1" "$line"; done <"$files/$2.control"
}

# control NS LINE: one command to the module.
# shellcheck disable=SC2016 # expanded inside
control() { nsenter --net=/run/netns/"$1" sh -c 'echo "$0" >/proc/net/gwmark/control' "$2"; }

# enable NS: the module, without any rule.
enable() { control "$1" enable; }

# ---- what is compared; each makes its endpoint ----

make_static() {
	endpoint static
	static_route static
}

make_connmark() {
	endpoint connmark
	ip netns exec connmark nft -f - <<-'END'
	table inet bench {
		chain prerouting {
			type filter hook prerouting priority mangle
			iifname "lan0" ct state new ct mark set 1
			iifname "tun0" ct direction reply meta mark set ct mark
		}
	}
	END
	ip -n connmark rule add fwmark 1 lookup 100
	ip -n connmark route add default via $r1 table 100
}

make_flowtable() {
	endpoint flowtable
	static_route flowtable
	ip netns exec flowtable nft -f - <<-'END'
	table inet bench {
		flowtable quick {
			hook ingress priority 0
			devices = { lan0, tun0 }
		}
		chain forward {
			type filter hook forward priority filter
			ct state established flow add @quick
		}
	}
	END
}

make_nexthop() {
	endpoint nexthop
	install nexthop nexthop
}

make_module() {
	endpoint module
	install module module
}

make_plain() {
	endpoint plain
	static_route plain
}

make_enabled() {
	endpoint enabled
	static_route enabled
	enable enabled
}

make_beside_module() {
	endpoint beside_module
	static_route beside_module
	install beside_module module
}

make_beside_nexthop() {
	endpoint beside_nexthop
	static_route beside_nexthop
	install beside_nexthop nexthop
}
