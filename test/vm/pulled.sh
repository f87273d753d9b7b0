#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Answers whose transport header is not where their IP header is: looking at a policy of
# IPsec pulls it there, and the headers move to other memory. Only KASAN sees whether
# the module still reads the old one.

# shellcheck source=guest/one-arm.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/one-arm.sh"
# shellcheck source=guest/frames.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/frames.sh"
one_arm_up
modprobe -qa tun xfrm_user || true
in_ns ep nft -f - <<-'END'
table inet gwmark {
	chain pre {
		type filter hook prerouting priority mangle
		iifname "lan0" ip6 daddr fd08::77 meta mark set 0x32
		iifname "tun9" meta mark set 0x32
	}
}
END
control ep enable
mkfifo "$lab_tmp/packets"
exec {packets}<>"$lab_tmp/packets"
busybox nsenter --net=/run/netns/ep perl "$(dirname "${BASH_SOURCE[0]}")/guest/tun.pl" tun9 <&"$packets" &
lab_pids+=($!)
until_true ip -n ep link show dev tun9
ip -n ep -batch - <<-'END'
	link set tun9 mtu 9000
	link set tun9 up
	link set lan0 mtu 9000
	route add fd08::77/128 dev tun9
	xfrm policy add src fd08::78/128 dst fd01::9/128 dir fwd action block
END

# A question of h1 to a client behind tun9.
question() { in_ns h1 socat -u - UDP6:[fd08::77]:7,sourceport=30000 <<<hello; }
asked() { question; stat_above ep learn_new 0; }
eventually "the question is learnt" asked

# answer N: from there, a destination header of N bytes before the transport, in the same
# piece as the IP header; the transport and 5000 bytes of it are elsewhere.
answer() {
	local options transport
	printf -v options '11%02x01%02x%0*d' $(($1 / 8 - 1)) $(($1 - 4)) $((2 * $1 - 8)) 0
	printf -v transport '0007%04x%04x0000%010000d' 30000 5008 0
	printf '%d 60000000%04x3c40%s%s%s%s\n' $((40 + $1)) $(($1 + 5008)) \
		"$(hex_ip6 fd08:0:0:0:0:0:0:77)" "$(hex_ip6 fd01:0:0:0:0:0:0:9)" "$options" "$transport" >&"$packets"
}
before=$(stat ep return_sent) sent=0
for ((size = 8; size <= 240; size += 8)); do
	answer $size
	sent=$((sent + 1))
done
all_sent() { [ "$(stat ep return_sent)" -eq $((before + sent)) ]; }
eventually "each of them is sent to the router" all_sent
done_testing
