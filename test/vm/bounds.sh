#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What strangers on the link can take: room in the table, the uplink, memory.

# shellcheck source=guest/one-arm.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/one-arm.sh"
one_arm_up max_gateways=3
marks_on
in_ns ep nft -f - <<-'END'
table inet gwmark {
	chain out {
		icmp type echo-reply meta mark set 0x32
		udp sport 1194 meta mark set 0x32
	}
	chain pre { ip daddr 192.0.2.2 meta mark set 0x32; }
}
END
# Questions of VPN flows, as ep's cable brings them, are given another source MAC.
in_ns sw nft -f - <<-'END'
table bridge disguise {
	chain source { type filter hook forward priority 10; }
}
END
disguised() { in_ns sw nft "add rule bridge disguise source oifname ep ip saddr 10.1.0.9 ether saddr set $1"; }
undisguised() { in_ns sw nft flush chain bridge disguise source; }
control ep enable

# A full table: who is there stays, and who was not heard for longest makes room.
control ep "gateway add lan0 02:00:00:00:0a:01"
background h2 ping -n -q -i 0.2 10.8.0.9
r2_known() { [ "$(gateway_field ep $mac_r2 id)" != "" ]; }
eventually "r2 is learnt" r2_known
holds "r1 is learnt" ping1 h1 10.8.0.9
is "the table is full" "$(gateways_count ep)" 3
disguised 02:00:00:00:0a:02
is "a MAC that comes then finds no room" "$(moved ep learn_table_full ping1 h1 -W 1 10.8.0.9)" 1
is "that is the table's counter, too" "$(moved ep gateway_table_full ping1 h1 -W 1 10.8.0.9)" 1
room() { ping1 h1 -W 1 10.8.0.9; [ "$(stat ep gateway_evicted)" -eq 1 ]; }
eventually "when r1 was idle for ten seconds, it does" room
is "r1 made room, not what a command named, nor who is active" \
	"$(gateway_field ep $mac_r1 id)-$(gateway_field ep 02:00:00:00:0a:01 pinned)-$(gateway_field ep $mac_r2 pinned)" -1-0
is "the newcomer is known" "$(gateway_field ep 02:00:00:00:0a:02 pinned)" 0
undisguised

# The uplink is not the last who asked.
control ep disable
control ep enable
own_routes
ip -n h1 route add 192.0.2.2 via 10.1.0.1
ip -n h2 route add 192.0.2.2 via 10.2.0.1
uplink_is() { [ "$(gateway_field ep "$1" uplink)" = 1 ]; }
holds "h1 asks ep" ping1 h1 192.0.2.2
eventually "r1 is the uplink" uplink_is $mac_r1
holds "h2 asks ep" ping1 h2 192.0.2.2
is "r1 stays the uplink" "$(gateway_field ep $mac_r1 uplink)-$(gateway_field ep $mac_r2 uplink)" 1-0
# a flow that goes on both ways proves more than one that was answered
background ep socat UDP4-RECVFROM:1194,fork PIPE
# shellcheck disable=SC2016 # expanded inside
background h2 bash -c 'exec 3<>/dev/udp/192.0.2.2/1194; while echo more >&3; do read -r -t 0.2 -u 3; done'
eventually "r2, once a flow goes on through it" uplink_is $mac_r2
holds "h1 asks ep again" ping1 h1 192.0.2.2
is "r2 stays the uplink" "$(gateway_field ep $mac_r2 uplink)" 1

# and when the frames of that flow come from another MAC, its router has that MAC now
in_ns sw nft "add rule bridge disguise source oifname ep ip saddr 10.2.0.9 ether saddr set 02:00:00:00:0a:03"
eventually "the uplink goes along with the flow that proved it" uplink_is 02:00:00:00:0a:03
undisguised
eventually "and back" uplink_is $mac_r2

# What is allocated for a namespace is charged to who enables it.
control ep disable
if [ -e /sys/fs/cgroup/cgroup.controllers ] || { mkdir -p /run/memory && mount -t cgroup2 none /run/memory; } 2>/dev/null; then
	group=/sys/fs/cgroup
	[ -e $group/cgroup.controllers ] || group=/run/memory
	if echo +memory >$group/cgroup.subtree_control 2>/dev/null; then
		mkdir $group/enabler
		lab_anchor ep
		bash -c 'echo $$ >"$0/cgroup.procs"; echo enable >"$1/net/gwmark/control"' $group/enabler "$proc"
		charged() { awk '/^(kernel|slab|vmalloc) / { n += $2 } END { exit n < 150000 }' $group/enabler/memory.stat; }
		holds "the memory of an enabled namespace is charged" charged
	fi
fi
done_testing
