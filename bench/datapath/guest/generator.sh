# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# pktgen, which gives its packets to a device as if they had been received.

# spread FLOWS: addresses and ports that the flows differ in. pktgen counts both
# up at once, so that all pairs come up in turn where the numbers are coprime.
spread() {
	case $1 in
	1) addresses=1 ports=1 ;;
	1000) addresses=8 ports=125 ;;
	100000) addresses=32 ports=3125 ;;
	*) echo "no spread for $1 flows" >&2; return 1 ;;
	esac
}

# aim NS ROAD FLOWS: the next packets of NS. Roads:
#   return      client -> hosts, in at tun0, out at lan0
#   learn       hosts -> client, in at lan0, out at tun0
#   pass-back   host behind lan1 -> hosts, in at lan1, out at lan0
#   pass        hosts -> host behind lan1, in at lan0, out at lan1
#   door        as return, for a MAC that is not the device's: dropped at once
aim() {
	local ns=$1 road=$2 flows=$3 dev to from hosts=dst one_address one_port mine=dst
	local addresses ports
	spread "$flows"
	case $road in
	return | door) dev=tun0 to=$mac_tun0 from=$mac_client one_address=$client ;;
	pass-back) dev=lan1 to=$mac_lan1 from=$mac_host one_address=$host ;;
	learn) dev=lan0 to=$mac_lan0 from=$mac_r1 one_address=$client hosts=src ;;
	pass) dev=lan0 to=$mac_lan0 from=$mac_r1 one_address=$host hosts=src ;;
	esac
	[ "$road" != door ] || to=02:00:00:00:00:ff
	[ $hosts = src ] || mine=src
	{
		echo "rem_device_all"
		echo "add_device $dev"
	} | pktgen_write "$ns" kpktgend_0
	{
		printf '%s\n' "pkt_size 60" "count 1" "clone_skb 0" "delay 0" "flag NO_TIMESTAMP" \
			"xmit_mode netif_receive" "dst_mac $to" "src_mac $from" \
			"${hosts}_min 10.1.0.1" "${hosts}_max 10.1.0.$addresses" \
			"${mine}_min $one_address" "${mine}_max $one_address" \
			"udp_${hosts}_min 1024" "udp_${hosts}_max $((ports == 1 ? 1024 : 1024 + ports))" \
			"udp_${mine}_min 7" "udp_${mine}_max 7"
	} | pktgen_write "$ns" "$dev"
}

# pktgen_write NS FILE: one command of stdin at a time.
pktgen_write() {
	# shellcheck disable=SC2016 # expanded inside
	nsenter --net=/run/netns/"$1" bash -c 'while read -r line; do echo "$line" >"/proc/net/pktgen/$0" || { echo "pktgen refused: $line" >&2; exit 1; }; done' "$2"
}

# fire NS DEV COUNT OUT: sends COUNT packets into DEV and prints the microseconds
# that they took; fails unless OUT (none: no device) was given every one.
fire() {
	# shellcheck disable=SC2016 # expanded inside
	nsenter --net=/run/netns/"$1" bash -c '
		dev=$0 count=$1 out=$2 sent=0
		given() { while read -r name _ _ _ _ _ _ _ _ _ packets _; do [ "$name" != "$out:" ] || echo "$packets"; done </proc/net/dev; }
		echo "count $count" >/proc/net/pktgen/$dev
		[ "$out" = none ] || before=$(given)
		echo start >/proc/net/pktgen/pgctrl
		[ "$out" = none ] || sent=$(($(given) - before))
		[ "$out" = none ] || [ "$sent" -eq "$count" ] || { echo "of $count packets into $dev $sent came out of $out" >&2; exit 1; }
		while read -r line; do
			[[ $line =~ ^Result:\ OK:\ ([0-9]+)\(.*usec,\ ([0-9]+)\  ]] && [ "${BASH_REMATCH[2]}" -eq "$count" ] && echo "${BASH_REMATCH[1]}" && exit 0
		done </proc/net/pktgen/$dev
		cat /proc/net/pktgen/$dev >&2
		exit 1' "$2" "$3" "$4"
}

# in_of ROAD, out_of ROAD
in_of() { case $1 in return | door) echo tun0 ;; pass-back) echo lan1 ;; *) echo lan0 ;; esac; }
out_of() { case $1 in return | pass-back) echo lan0 ;; learn) echo tun0 ;; pass) echo lan1 ;; door) echo none ;; esac; }
