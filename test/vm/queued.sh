#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A program holds packets in FORWARD and POST_ROUTING (NFQUEUE) while their gateway, the rules
# or the module goes, in FORWARD also its device, and lets them go after that.

# shellcheck source=guest/one-arm.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/one-arm.sh"
modprobe -qa nfnetlink_queue nft_queue || true
one_arm_up
marks_on
in_ns ep nft 'add rule inet gwmark out icmp type echo-reply meta mark set 0x32'
in_ns ep nft 'add rule inet gwmark out icmpv6 type echo-reply meta mark set 0x32'
own_routes
control ep enable

# hold HOOK: what leaves to the wire is held there.
hold() {
	rm -f "$lab_tmp/held"
	background ep perl "$(dirname "${BASH_SOURCE[0]}")/guest/hold.pl" 5 "$lab_tmp/held"
	holder=$background_pid
	until_true test -e "$lab_tmp/held"
	in_ns ep nft -f - <<-END
	table inet hold {
		chain held { type filter hook $1 priority 0; oifname "lan0" meta mark 0x32 queue num 5; }
	}
	END
}
# held N: so many packets are held by now.
held() { [ "$(cat "$lab_tmp/held")" -ge "$1" ]; }
# question: both families, of the client behind ep and of ep itself.
question() {
	local dest
	for dest in 10.8.0.9 fd08::9 10.8.0.1 fd08::1; do
		in_ns h1 busybox ping -c 2 -W 1 $dest >/dev/null 2>&1 &
		questions+=($!)
	done
}
answered() {
	local dest
	for dest in 10.8.0.9 fd08::9 10.8.0.1 fd08::1; do ping1 h1 -W 1 $dest || return 1; done
}
release() {
	kill -USR1 "$holder"
	wait "$holder" 2>/dev/null || true
	in_ns ep nft delete table inet hold 2>/dev/null || true
}
new_lan0() {
	link ep lan0 $mac_ep sw ep 02:00:00:00:01:02
	ip -n sw link set ep master br0
	again
}
again() {
	local address
	for address in 192.0.2.2/24 2001:db8:2::2/64; do
		addresses ep lan0 $address 2>/dev/null || true
	done
	ip -n ep route replace default dev lan0 table 100
	ip -n ep -6 route replace default dev lan0 table 100
}

gateway_goes() { control ep "gateway del lan0 $mac_r1"; }
all_go() { control ep flush; }
gateway_moves() { control ep "move lan0 $mac_r1 $mac_r2"; }
disabled() { control ep disable; }
unloaded() { rmmod gwmark; }
flows_go() { in_ns ep conntrack -F >/dev/null 2>&1; }
rules_go() { in_ns ep nft flush ruleset; }
device_down() { ip -n ep link set lan0 down; }
device_goes() { timeout 30 ip -n ep link del lan0; }
device_moves() { ip -n ep link set lan0 netns vc; }
# what each needs afterwards
disabled_after() { control ep enable; }
unloaded_after() { insmod "$GWMARK_KO"; control ep enable; flows_go; }
rules_go_after() {
	marks_on
	in_ns ep nft -f - <<-'END'
	table inet gwmark {
		chain out {
			icmp type echo-reply meta mark set 0x32
			icmpv6 type echo-reply meta mark set 0x32
			ct state related ct direction reply meta mark set 0x32
		}
	}
	END
}
device_down_after() { ip -n ep link set lan0 up; again; }
device_goes_after() { new_lan0; }
device_moves_after() { ip -n vc link del lan0; new_lan0; }

eventually "answers arrive" answered
for hook in forward postrouting; do
	events=(gateway_goes all_go gateway_moves disabled unloaded flows_go rules_go)
	[ $hook = postrouting ] || events+=(device_down device_goes device_moves)
	for event in "${events[@]}"; do
		questions=()
		hold $hook
		question
		until_true held $([ $hook = forward ] && echo 2 || echo 4)
		before=$(stat ep transmit_gateway_gone)
		$event
		release
		case $event in
		gateway_goes | all_go)
			is "$hook, $event: not cut to the MTU of no device before" "$(stat ep transmit_fragmented)" 0
			holds "$hook, $event: what was held is dropped, and counted" \
				stat_above ep transmit_gateway_gone "$before"
			;;
		esac
		! declare -F ${event}_after >/dev/null || ${event}_after
		wait "${questions[@]}" || true
		[ $event != gateway_moves ] || control ep flush
		eventually "$hook, $event: answers arrive again" answered
	done
done

done_testing
