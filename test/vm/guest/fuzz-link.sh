#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# fuzz-link.sh DEVICE|all: gives the devices of fuzz.sh their addresses, and takes them up.
ip=$(type -P ip)
for device in $([ "$1" = all ] && echo lan0 p1 p2 br0 tun0 || echo "$1"); do
	case $device in
	lan0)
		$ip -force -batch - <<-'END'
			link set lan0 down
			link set lan0 address 02:00:00:00:00:02
			link set lan0 mtu 1500
			link set lan0 up
			addr add 192.0.2.2/24 dev lan0
			addr add 2001:db8:2::2/64 dev lan0 nodad
			link add link lan0 name lan0.7 type vlan id 7
			link set lan0.7 up
			addr add 192.0.7.2/24 dev lan0.7
			route add default dev lan0 table 100
			-6 route add default dev lan0 table 100
		END
		;;
	p1 | p2)
		$ip -force -batch - <<-END
			link set $device master br0
			link set $device up
		END
		;;
	br0)
		$ip -force -batch - <<-'END'
			link set br0 up
			addr add 198.51.100.2/24 dev br0
			addr add 2001:db8:4::2/64 dev br0 nodad
		END
		;;
	tun0)
		$ip -force -batch - <<-'END'
			link set tun0 mtu 1500
			link set tun0 up
			addr add 10.8.0.1/24 dev tun0
			addr add fd08::1/64 dev tun0 nodad
		END
		;;
	esac
done
exit 0
