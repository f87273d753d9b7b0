#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Runs in the guest: makes the endpoints, then has them take turns.
#
#   run.sh FILES FLOWS:PACKETS:ROUNDS...
#
# FILES is the directory with what the sidecar would install (compile-endpoints.ts).
#
# Prints, a line each:
#   endpoint NAME                                   it is ready
#   sample NAME ROAD FLOWS ROUND PACKETS MICROSECONDS
#   end
set -euo pipefail
files=$1
shift
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=endpoint.sh
. "$here/endpoint.sh"
# shellcheck source=generator.sh
. "$here/generator.sh"

returning=(static connmark flowtable nexthop module)
passing=(plain enabled beside_module beside_nexthop)

# Built in where the kernel was made for this; else modules of a distribution.
modprobe -qa dummy pktgen bridge nf_conntrack nf_tables nf_flow_table nft_flow_offload nf_flow_table_inet || true
insmod "$GWMARK_KO"
# All endpoints share one table of conntrack entries: as many buckets as they have entries.
echo 2097152 >/proc/sys/net/netfilter/nf_conntrack_buckets
echo 4194304 >/proc/sys/net/netfilter/nf_conntrack_max

for name in "${returning[@]}" "${passing[@]}"; do
	make_"$name"
	echo "endpoint $name"
done

# pass NAME ROAD FLOWS COUNT: aims and fires, for its effect.
pass() {
	aim "$1" "$2" "$3"
	fire "$1" "${in_of[$2]}" "$4" "${out_of[$2]}"
}

# The frames that an endpoint sends to its LAN have the MAC of r1: counted at the
# very end, by a hook that is gone before anything is measured.
frames_reach_r1() {
	local name=$1 road=$2 flows=$3 seen
	ip netns exec "$name" nft -f - <<-END
	table netdev check {
		chain egress {
			type filter hook egress device lan0 priority 0
			ether daddr $mac_r1 ether saddr $mac_lan0 counter
		}
	}
	END
	pass "$name" "$road" "$flows" "$flows"
	seen=$(ip netns exec "$name" nft list table netdev check | sed -n 's/.*counter packets \([0-9]*\) .*/\1/p')
	ip netns exec "$name" nft delete table netdev check
	[ "$seen" -eq "$flows" ] || { echo "$name: of $flows answers $seen were for the MAC of r1" >&2; return 1; }
}

# take_turns ROAD FLOWS PACKETS ROUNDS NAME...: one sample of each, repeatedly.
take_turns() {
	local road=$1 flows=$2 packets=$3 rounds=$4 round name usec
	shift 4
	for name in "$@"; do
		aim "$name" "$road" "$flows"
		# for the caches
		fire "$name" "${in_of[$road]}" 1000 "${out_of[$road]}"
	done
	for ((round = 1; round <= rounds; round++)); do
		for name in "$@"; do
			fire "$name" "${in_of[$road]}" "$packets" "${out_of[$road]}"
			echo "sample $name $road $flows $round $packets $usec"
		done
	done
}

for plan in "$@"; do
	IFS=: read -r flows packets rounds <<<"$plan"
	echo "$flows flows: every one is opened at every endpoint"
	for name in "${returning[@]}"; do
		# Twice each way: every flow is assured, and the flowtable has it.
		for road in learn return learn; do pass "$name" "$road" "$flows" "$flows"; done
		frames_reach_r1 "$name" return "$flows"
	done
	for name in "${passing[@]}"; do
		for road in pass pass-back pass; do pass "$name" "$road" "$flows" "$flows"; done
		frames_reach_r1 "$name" pass-back "$flows"
	done
	echo "$flows flows: $rounds rounds"
	take_turns door "$flows" "$packets" "$rounds" static
	take_turns return "$flows" "$packets" "$rounds" "${returning[@]}"
	take_turns pass-back "$flows" "$packets" "$rounds" "${passing[@]}"
	take_turns pass "$flows" "$packets" "$rounds" "${passing[@]}"
done
echo end
