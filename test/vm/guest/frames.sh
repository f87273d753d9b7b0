# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Frames made by hand, as hexadecimal digits: what no well-behaved neighbour sends.

# hex_mac MAC, hex_ip4 ADDRESS, hex_ip6 ADDRESS (all eight groups of it)
hex_mac() { printf '%s' "${1//:/}"; }
hex_ip4() {
	local IFS=.
	# shellcheck disable=SC2086 # four words
	printf '%02x%02x%02x%02x' $1
}
hex_ip6() {
	local IFS=:
	local group
	for group in $1; do printf '%04x' "0x$group"; done
}

# frames_send NS DEV HEX...: each is one frame, padded to 90 bytes.
frames_send() {
	local ns=$1 dev=$2 frame zeros text='' file=$lab_tmp/frames
	shift 2
	printf -v zeros '%0180d' 0
	for frame; do
		frame+=$zeros
		text+=${frame:0:180}
	done
	# shellcheck disable=SC2059 # the bytes
	printf "$(sed 's/../\\x&/g' <<<"$text")" >"$file"
	in_ns "$ns" socat -u -b90 "FILE:$file" "INTERFACE:$dev"
}

# arp_claim MAC ADDRESS: a gratuitous ARP reply, to all.
arp_claim() {
	local mac ip
	mac=$(hex_mac "$1") ip=$(hex_ip4 "$2")
	echo "ffffffffffff${mac}08060001080006040002${mac}${ip}ffffffffffff${ip}"
}

# icmp6_sum SOURCE DESTINATION MESSAGE: the checksum, all in hexadecimal.
icmp6_sum() {
	local text=$1$2$(printf '%08x%08x' $((${#3} / 2)) 58)$3 sum=0 i
	for ((i = 0; i < ${#text}; i += 4)); do sum=$((sum + 0x${text:i:4})); done
	while [ $((sum >> 16)) -ne 0 ]; do sum=$(((sum & 0xffff) + (sum >> 16))); done
	printf '%04x' $((sum ^ 0xffff))
}

# na_claim MAC SOURCE DESTINATION DESTINATION-MAC TARGET FLAGS [ERROR]: a neighbour
# advertisement; FLAGS as eight digits, 20000000 is Override; ERROR spoils its checksum.
na_claim() {
	local mac src dst target head tail sum
	mac=$(hex_mac "$1") src=$(hex_ip6 "$2") dst=$(hex_ip6 "$3") target=$(hex_ip6 "$5")
	tail="$6${target}0201${mac}"
	sum=$(icmp6_sum "$src" "$dst" "88000000$tail")
	sum=$(printf '%04x' $(((0x$sum + ${7:-0}) & 0xffff)))
	head="$(hex_mac "$4")${mac}86dd60000000$(printf '%04x' $(((8 + ${#tail}) / 2)))3aff"
	echo "$head$src${dst}8800$sum$tail"
}
