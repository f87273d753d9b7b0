#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The module is unloaded while namespaces die in which it is enabled: a device of a
# dying namespace waits for its gateways, and its namespace keeps the others waiting.

# shellcheck source=guest/one-arm.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/one-arm.sh"
modprobe -a nf_conntrack nf_defrag_ipv6 bridge veth nf_tables

# dying_up N: namespaces d1 to dN, each enabled, with a gateway on a device that takes its
# time to go.
dying_up() {
	local n i lines
	for ((n = 1; n <= $1; n++)); do
		ip netns add d$n
		lines='link add lan0 address 02:00:00:00:00:01 type veth peer name lan1'$'\n''link set lan0 up'$'\n''link set lan1 up'$'\n'
		for ((i = 0; i < 20; i++)); do lines+="link add up$i link lan0 type macvlan"$'\n'; done
		lines+="link set up3 up"$'\n'
		ip -n d$n -batch - <<<"$lines"
		busybox nsenter --net=/run/netns/d$n sh -c 'echo enable >/proc/net/gwmark/control
			echo gateway add lan0 02:00:00:00:00:51 >/proc/net/gwmark/control
			echo gateway add up3 02:00:00:00:00:52 >/proc/net/gwmark/control'
	done
}

unloaded_in_time() { timeout 60 rmmod gwmark; }
for round in 1 2 3 4 5 6; do
	insmod "$GWMARK_KO"
	dying_up 4
	# some die before, some while it is unloaded, and others are born
	for n in 1 2 3 4; do
		{ pause "0.0$((round * n % 7))"; ip netns del d$n; ip netns add new$n; } &
	done
	holds "round $round: unloaded while namespaces die" unloaded_in_time
	wait
	for n in 1 2 3 4; do ip netns del new$n; done
done
insmod "$GWMARK_KO"
holds "the module loads again" test -e /proc/net/gwmark/control
rmmod gwmark
done_testing
