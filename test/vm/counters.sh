#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Counters that no other test moves: what happens to a packet on its last steps.

# shellcheck source=guest/one-arm.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/one-arm.sh"
one_arm_up
marks_on
in_ns ep nft 'add rule inet gwmark out udp sport 1194 meta mark set 0x32'
control ep enable
own_routes

is "a frame for each packet" "$(moved ep transmit_frames ping1 h1 10.8.0.9)" 1

# Others who use conntrack labels, where ours are.
holds "nobody else uses labels" config_is ep "label_users 0"
in_ns ep nft 'add table inet other; add chain inet other pre { type filter hook prerouting priority 0; ip saddr 192.0.2.99 ct label set 3; }'
holds "a rule that does is counted" config_is ep "label_users 1"
in_ns ep nft delete table inet other

# A control group of which nobody may send.
mkdir -p /run/egress
mount -t cgroup2 none /run/egress 2>/dev/null || true
mkdir /run/egress/mute
# answer_with COMMAND: ep's own answers on port 1194, by processes of the group mute.
# shellcheck disable=SC2016 # expanded inside
answers() { background ep bash -c 'echo $$ >/run/egress/mute/cgroup.procs; exec socat "$0" "$1"' "$@"; }
answers UDP4-RECVFROM:1194,reuseaddr,fork PIPE
listens() { in_ns ep ss -Huln "sport = :$1" | grep . >/dev/null; }
until_true listens 1194
is "an answer before it is refused" "$(ask h1 UDP:192.0.2.2:1194 hello)" hello
perl "$(dirname "${BASH_SOURCE[0]}")/guest/refuse-egress.pl" /run/egress/mute
# asked COUNTER: asks on port 1194; whether the counter moved by now.
asked() { ask h1 UDP:192.0.2.2:1194 hello 1 >/dev/null; stat_above ep "$1" 0; }
eventually "an answer that a control group refuses" asked transmit_cgroup
kill "$background_pid"
wait "$background_pid" 2>/dev/null || true

# A datagram that fits its route, but not the device of its gateway, and may not be cut.
ip -n ep route replace default dev under0 table 100
background ep socat UDP4-RECVFROM:1194,reuseaddr,fork,ip-mtu-discover=2 "SYSTEM:head -c 4000 /dev/zero"
until_true listens 1194
eventually "an answer that is too large for the gateway's device" asked transmit_too_big
ip -n ep route replace default dev lan0 table 100

# A packet that a rule gave to a socket.
if in_ns ep nft -f - 2>/dev/null <<-'END'
	table ip takes {
		chain pre {
			type filter hook prerouting priority -140
			iifname "tun0" udp sport 7 tproxy to :5000
		}
	}
	END
then
	background ep socat UDP4-RECVFROM:5000,ip-transparent,fork PIPE
	background vc socat UDP4-RECVFROM:7,fork PIPE
	until_true listens 5000
	before=$(stat ep return_not_forwarded)
	taken() { ask h1 UDP:10.8.0.9:7 hello 1 >/dev/null; stat_above ep return_not_forwarded "$before"; }
	eventually "an answer that belongs to a socket of ep's is not sent on" taken
fi
done_testing
