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
	local ns=$1 road=$2 flows=$3 dev to from hosts=dst one_address mine=dst line
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
	pktgen "$ns" "write kpktgend_0 rem_device_all"
	pktgen "$ns" "write kpktgend_0 add_device $dev"
	for line in "pkt_size 60" "count 1" "clone_skb 0" "delay 0" "flag NO_TIMESTAMP" \
		"xmit_mode netif_receive" "dst_mac $to" "src_mac $from" \
		"${hosts}_min 10.1.0.1" "${hosts}_max 10.1.0.$addresses" \
		"${mine}_min $one_address" "${mine}_max $one_address" \
		"udp_${hosts}_min 1024" "udp_${hosts}_max $((ports == 1 ? 1024 : 1024 + ports))" \
		"udp_${mine}_min 7" "udp_${mine}_max 7"; do
		pktgen "$ns" "write $dev $line"
	done
}

# Descriptors of each namespace's agent: what is asked, what it answers.
declare -A asking=() answering=()

# pktgen NS LINE: has the namespace's agent do it, and sets `answer` to what it says
# behind its ok; fails with its words if that is not what it says.
pktgen() {
	local ns=$1 pipe ask reply
	if [ -z "${asking[$ns]:-}" ]; then
		pipe=/run/pktgen-$ns
		mkfifo "$pipe.ask" "$pipe.answer"
		nsenter --net=/run/netns/"$ns" "$here/pktgen-agent.sh" <"$pipe.ask" >"$pipe.answer" &
		exec {ask}>"$pipe.ask" {reply}<"$pipe.answer"
		asking[$ns]=$ask answering[$ns]=$reply
	fi
	echo "$2" >&"${asking[$ns]}"
	read -r -u "${answering[$ns]}" answer
	[[ $answer == ok* ]] || { echo "$ns: $answer" >&2; return 1; }
	answer=${answer#ok}
}

# fire NS DEV COUNT OUT: sends COUNT packets into DEV and sets `usec` to the
# microseconds that they took; fails unless OUT (none: no device) was given every one.
fire() {
	pktgen "$1" "fire $2 $3 $4"
	usec=${answer# }
}

# Where the packets of a road go in, and where they come out.
declare -A in_of=([return]=tun0 [door]=tun0 [pass-back]=lan1 [learn]=lan0 [pass]=lan0)
declare -A out_of=([return]=lan0 [door]=none [pass-back]=lan0 [learn]=tun0 [pass]=lan1)
