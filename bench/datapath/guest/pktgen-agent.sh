#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# pktgen of one network namespace, as lines on standard input ask for it. One program
# for all of them: in User Mode Linux starting one takes far longer than a sample.
#
#   write FILE COMMAND...   a command to a file of pktgen
#   fire DEV COUNT OUT      sends COUNT packets into DEV; OUT (none: no device) has to be
#                           given every one
#
# Answers, a line each: `ok`, to fire `ok MICROSECONDS`, or a sentence that says what went
# wrong.

# given DEV: sets `packets` to what it was given to send so far.
given() {
	local name rest
	while read -r name _ _ _ _ _ _ _ _ _ packets rest; do
		[ "$name" != "$1:" ] || return 0
	done </proc/net/dev
	packets=0
}

fire() {
	local dev=$1 count=$2 out=$3 before packets line
	echo "count $count" >"/proc/net/pktgen/$dev"
	given "$out"
	before=$packets
	echo start >/proc/net/pktgen/pgctrl
	given "$out"
	if [ "$out" != none ] && [ $((packets - before)) -ne "$count" ]; then
		echo "of $count packets into $dev $((packets - before)) came out of $out"
		return
	fi
	while read -r line; do
		[[ $line =~ ^Result:\ OK:\ ([0-9]+)\(.*usec,\ ([0-9]+)\  ]] || continue
		[ "${BASH_REMATCH[2]}" -eq "$count" ] || continue
		echo "ok ${BASH_REMATCH[1]}"
		return
	done <"/proc/net/pktgen/$dev"
	echo "pktgen has no result of $count packets: $line"
}

while read -r verb first rest; do
	case $verb in
	write)
		if echo "$rest" >"/proc/net/pktgen/$first"; then
			echo ok
		else
			echo "pktgen refused for $first: $rest"
		fi
		;;
	fire)
		# shellcheck disable=SC2086 # two words
		fire "$first" $rest
		;;
	esac
done
