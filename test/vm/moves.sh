#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Moves: a router's address goes to another MAC, and flows that only answer follow.

# shellcheck source=guest/one-arm.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/one-arm.sh"
# shellcheck source=guest/frames.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/frames.sh"
one_arm_up
marks_on
control ep enable

# One question, then answers for minutes: no further frame of the flow tells ep
# where its gateway is.
peer vc speak:5

# goes_to R: what ep sends goes to router R alone, from now on.
goes_to() {
	local text
	wire_reset
	pause 0.6
	counters sw
	case $1 in
	r1) [ "$(counter_of to_r1)" -gt 1 ] && [ "$(counter_of to_r2)" -eq 0 ] ;;
	r2) [ "$(counter_of to_r2)" -gt 1 ] && [ "$(counter_of to_r1)" -eq 0 ] ;;
	esac
}
send_of() { gateway_field ep $mac_r1 send; }
stat_is() { [ "$(stat "$1" "$2")" -eq "$3" ]; }
is_send() { [ "$(send_of)" = "$1" ]; }
known() { grep -q " mac=$mac_r1 .*addresses=.*$1" <<<"$(gwmark_file ep gateways)"; }

background h1 bash -c 'echo | socat -T 600 -t 600 - UDP:10.8.0.9:5'
eventually "answers go to r1" goes_to r1
eventually "its address is known from ARP" known 192.0.2.251
ping1 r1 2001:db8:2::2 >/dev/null
eventually "and from neighbour discovery" known 2001:db8:2::251

# Failover: r2 takes the address of r1, and says so.
ip -n r1 link set lan0 down
addresses r2 lan0 192.0.2.251/32
in_ns r2 arping -q -U -c 1 -I lan0 192.0.2.251 || true
eventually "after a gratuitous ARP answers go to r2" is_send $mac_r2
holds "on the wire too" goes_to r2
is "the move is counted" "$(gateway_field ep $mac_r1 moves)" 1
is "by its evidence" "$(stat ep move_claim)" 1

# r1 returns with a frame of a selected flow: fresher than the claim.
ip -n r2 addr del 192.0.2.251/32 dev lan0
ip -n r1 link set lan0 up
addresses r1 lan0 2001:db8:2::251/64
ip -n r1 route replace 10.8.0.0/24 via 192.0.2.2
ip -n r1 -6 route replace fd08::/64 via 2001:db8:2::2
holds "r1 is back" ping1 h1 10.8.0.9
eventually "its packets come back to it" is_send $mac_r1
holds "on the wire too" goes_to r1

# One address of several moves, and the router lives.
addresses r1 lan0 192.0.2.240/24
in_ns r1 arping -q -U -c 1 -I lan0 192.0.2.240 || true
eventually "r1 has an alias" known 192.0.2.240
moves=$(gateway_field ep $mac_r1 moves)
ip -n r1 addr del 192.0.2.240/24 dev lan0
addresses r2 lan0 192.0.2.240/32
in_ns r2 arping -q -U -c 1 -I lan0 192.0.2.240 || true
eventually "r1 is asked for its other addresses, and answers" stat_is ep move_kept 1
holds "answers still go to r1" goes_to r1
is "and nothing moved" "$(gateway_field ep $mac_r1 moves)" "$moves"
ip -n r2 addr del 192.0.2.240/32 dev lan0

# By command.
control ep "move lan0 $mac_r1 $mac_r2"
is "a command moves them" "$(send_of)" $mac_r2
is "by its evidence" "$(stat ep move_control)" 1
frames=$(stat ep move_frame)
holds "a selected frame of r1 proves it alive" ping1 h1 10.8.0.9
is "and brings them back" "$(send_of)" $mac_r1
is "by its evidence" "$(stat ep move_frame)" "$((frames + 1))"

# By command, and to stay.
control ep "move lan0 $mac_r1 $mac_r2 keep"
is "a command moves them" "$(send_of)" $mac_r2
is "and is shown" "$(gateway_field ep $mac_r1 ordered)" 1
ping1 h1 -W 1 10.8.0.9 >/dev/null || true
in_ns r1 arping -q -U -c 1 -I lan0 192.0.2.251 || true
is "no sign of life of r1 changes that" "$(send_of)" $mac_r2
control ep "move lan0 $mac_r1 $mac_r1"
is "until another command" "$(send_of) $(gateway_field ep $mac_r1 ordered)" "$mac_r1 0"

# IPv6: an unsolicited neighbour advertisement.
ip -n r1 link set lan0 down
in_ns r2 sysctl -qw net.ipv6.conf.lan0.ndisc_notify=1
addresses r2 lan0 2001:db8:2::251/128
# it advertises its addresses when its own MAC changes
ip -n r2 link set lan0 address 02:00:00:00:00:53
eventually "after an unsolicited advertisement answers go to its sender" is_send 02:00:00:00:00:53
ip -n r2 link set lan0 address $mac_r2

# A claim from another device is no evidence.
ip -n r1 link set lan0 up
addresses r1 lan0 2001:db8:2::251/64
ip -n r1 route replace 10.8.0.0/24 via 192.0.2.2
# eight moves of a gateway in ten seconds are the limit, and on a quick machine this is one more
eventually "r1 is back" ping1 h1 10.8.0.9
eventually "and has its packets" is_send $mac_r1
link ep other0 02:00:00:00:04:01 h2 other0 02:00:00:00:04:02
addresses h2 other0 192.0.2.251/32
in_ns h2 arping -q -U -c 1 -I other0 192.0.2.251 || true
ping1 h1 10.8.0.9 >/dev/null
is "a claim on another device moves nothing" "$(send_of)" $mac_r1

# A gateway that is claimed and proves alive in turn: that is limited.
before=$(stat ep move_limited)
flap() {
	local n
	for n in $(seq 12); do
		control ep "move lan0 $mac_r1 02:00:00:00:06:01"
		ping1 h1 -W 1 10.8.0.9 >/dev/null || true
		[ "$(stat ep move_limited)" -eq "$before" ] || break
	done
	[ "$(stat ep move_limited)" -gt "$before" ]
}
holds "moves of one gateway by evidence are limited in rate" flap
control ep "move lan0 $mac_r1 $mac_r1"

# A shared MAC is not given up for a request in passing.
control ep "gateway add lan0 00:00:5e:00:01:07 192.0.2.201"
addresses r2 lan0 192.0.2.201/32
in_ns r2 arping -q -c 1 -w 1 -I lan0 -s 192.0.2.201 192.0.2.2 || true
is "a request from another MAC does not move a VRRP address" "$(gateway_field ep 00:00:5e:00:01:07 send)" 00:00:5e:00:01:07
is "and is counted" "$(stat ep move_virtual)" 1
in_ns r2 arping -q -U -c 1 -I lan0 192.0.2.201 || true
eventually "a gratuitous one does" test "$(gateway_field ep 00:00:5e:00:01:07 send)" = $mac_r2

# What a limit refused was not said: it is believed when it is said again.
mac_gone=02:00:00:00:07:01 mac_new=02:00:00:00:07:09
send_of_gone() { gateway_field ep $mac_gone send; }
is_gone_at() { [ "$(send_of_gone)" = "$1" ]; }
control ep "gateway add lan0 $mac_gone 192.0.2.203"
moved_away() {
	local n frames=()
	for n in 1 2 3 4 5 6 7 8 9; do frames+=("$(arp_claim 02:00:00:00:07:0$((n % 2 + 2)) 192.0.2.203)"); done
	frames_send r2 lan0 "${frames[@]}" "$(arp_claim $mac_new 192.0.2.203)"
}
before=$(stat ep move_limited)
moved_away
eventually "more moves than are believed" stat_above ep move_limited "$before"
holds "the last one was not" test "$(send_of_gone)" != $mac_new
claim_again() { frames_send r2 lan0 "$(arp_claim $mac_new 192.0.2.203)" && is_gone_at $mac_new; }
eventually "said again, it is" claim_again

# A host that flaps suppresses nobody's failover but its own.
control ep "gateway add lan0 02:00:00:00:07:11 192.0.2.204"
flood=()
one=$(arp_claim 02:00:00:00:08:01 192.0.2.205) other=$(arp_claim 02:00:00:00:08:02 192.0.2.205)
for n in {1..150}; do flood+=("$one" "$other"); done
frames_send r2 lan0 "${flood[@]}" "$(arp_claim 02:00:00:00:07:12 192.0.2.204)"
is_moved() { [ "$(gateway_field ep 02:00:00:00:07:11 send)" = 02:00:00:00:07:12 ]; }
eventually "behind 300 changes of another address a failover is believed" is_moved

# A router that lost one address of two, and was left for dead, answers for the other.
control ep "gateway add lan0 02:00:00:00:07:21 192.0.2.207 192.0.2.208"
sends_to() { [ "$(gateway_field ep 02:00:00:00:07:21 send)" = "$1" ]; }
frames_send r2 lan0 "$(arp_claim 02:00:00:00:07:22 192.0.2.207)"
eventually "one of two addresses is claimed, and no sign of life comes" sends_to 02:00:00:00:07:22
before=$(stat ep move_answer)
frames_send r2 lan0 "$(arp_claim 02:00:00:00:07:21 192.0.2.208)"
eventually "ARP with the other one is a sign of life" sends_to 02:00:00:00:07:21
is "by its evidence" $(($(stat ep move_answer) - before)) 1

# RFC 4861, 7.2.5: an advertisement without Override takes an address from nobody.
target=2001:db8:2:0:0:0:0:206 liar=02:00:00:00:09:02
advertise() { frames_send r2 lan0 "$(na_claim $liar fe80:0:0:0:0:0:0:99 2001:db8:2:0:0:0:0:2 $mac_ep $target "$@")"; }
control ep "gateway add lan0 02:00:00:00:09:01 2001:db8:2::206"
send_of_advertised() { gateway_field ep 02:00:00:00:09:01 send; }
advertise 00000000
eventually "an advertisement without Override is heard" stat_above ep move_no_override 0
is "and moves nothing" "$(send_of_advertised)" 02:00:00:00:09:01
advertise 20000000 1
eventually "an advertisement with a wrong checksum is heard" stat_above ep move_bad_checksum 0
is "and moves nothing, too" "$(send_of_advertised)" 02:00:00:00:09:01
advertise 20000000
is_advertised() { [ "$(send_of_advertised)" = $liar ]; }
eventually "one with Override, and whole, moves it" is_advertised
done_testing
