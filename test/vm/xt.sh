#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The target GWMARK of iptables, in both flavours: taken, refused, saved, restored,
# translated; and a zero-route endpoint by rules that a person wrote with it.

# shellcheck source=guest/one-arm.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/one-arm.sh"
one_arm_up
modprobe -a x_tables ip_tables ip6_tables iptable_mangle ip6table_mangle nft_compat xt_conntrack
make -s -C "$GWMARK_REPO/module/xt" OUT="$lab_tmp"
extensions=(/usr/lib/*/xtables/libxt_conntrack.so)
export XTABLES_LIBDIR=$lab_tmp:${extensions[0]%/*}
target=$(dirname "$GWMARK_KO")/xt_GWMARK.ko
is "the target is no part of gwmark.ko" "$(modinfo -F depends "$target" | tr ',' '\n' | grep -c '^gwmark$')" 0
is "a rule finds it by these names" "$(modinfo -F alias "$target" | sort | xargs)" "ip6t_GWMARK ipt_GWMARK"
insmod "$target"

# ipt FLAVOUR FAMILY ARGS...: iptables in ep, table mangle.
ipt() {
	local base=iptables
	[ "$2" = 4 ] || base=ip6tables
	in_ns ep "$base-$1" -w 5 -t mangle "${@:3}"
}

# listed FLAVOUR FAMILY: the rule of both directions is in the list for people.
listed() { ipt "$1" "$2" -L PREROUTING -n | grep 'GWMARK reply 0x32/0xff original 0x32/0xff'; }

# below_output FLAVOUR FAMILY: a rule of one direction, in a chain that OUTPUT leads to.
below_output() {
	ipt "$1" "$2" -N mine &&
		ipt "$1" "$2" -A mine -j GWMARK --orig-mark 0x300/0xf00 &&
		ipt "$1" "$2" -A OUTPUT -j mine &&
		ipt "$1" "$2" -S mine | grep -e '-j GWMARK --orig-mark 0x300/0xf00$'
}

both='--reply-mark 0x32 --orig-mark 0x32' long='--reply-mark 0x32/0xff --orig-mark 0x32/0xff'
for flavour in legacy nft; do
	for family in 4 6; do
		name="$flavour, IPv$family:"
		base=iptables
		[ $family = 4 ] || base=ip6tables
		# shellcheck disable=SC2086 # options are words
		holds "$name a rule is taken" ipt $flavour $family -A PREROUTING -i lan0 -j GWMARK $both
		is "$name it is saved with its masks" "$(ipt $flavour $family -S PREROUTING | tail -n 1)" \
			"-A PREROUTING -i lan0 -j GWMARK $long"
		in_ns ep $base-$flavour-save -t mangle >"$lab_tmp/saved"
		ipt $flavour $family -F
		holds "$name what was saved is restored" in_ns ep $base-$flavour-restore -w 5 "$lab_tmp/saved"
		is "$name and is the same" "$(in_ns ep $base-$flavour-save -t mangle | grep '^-A')" \
			"$(grep '^-A' "$lab_tmp/saved")"
		holds "$name it is listed" listed $flavour $family
		holds "$name other masks, one direction, a chain below OUTPUT" below_output $flavour $family
		for bad in '' '--orig-mark 0' '--orig-mark 0x100' '--reply-mark 0x1/0' '--reply-mark 0x13/0xf' '--orig-mark x' '--orig-mark 1 --orig-mark 2'; do
			# shellcheck disable=SC2086
			refused "$name refused: -j GWMARK $bad" ipt $flavour $family -A PREROUTING -j GWMARK $bad
		done
		refused "$name refused in FORWARD" ipt $flavour $family -A FORWARD -j GWMARK --orig-mark 1
		refused "$name refused in table filter" in_ns ep $base-$flavour -w 5 -A INPUT -j GWMARK --orig-mark 1
		is "$name what was refused is not there" "$(in_ns ep $base-$flavour-save | grep -c GWMARK)" 2
		refused "$name the target stays while a rule uses it" rmmod xt_GWMARK
		ipt $flavour $family -F
		ipt $flavour $family -X
	done
done

# The rules of the manual page, for two families.
# rules FLAVOUR FAMILY NETWORK
rules() {
	ipt "$1" "$2" -A PREROUTING -i lan0 -d "$3" -j GWMARK --orig-mark 0x32
	ipt "$1" "$2" -A PREROUTING -i lan0 -p udp --dport 1194 -j GWMARK --orig-mark 0x32
	ipt "$1" "$2" -A PREROUTING -i tun0 -j GWMARK --reply-mark 0x32
	ipt "$1" "$2" -A OUTPUT -p udp --sport 1194 -j GWMARK --reply-mark 0x32
}

# traffic NAME: ICMP, UDP and TCP from both hosts, each answer to its router.
traffic() {
	local name=$1 n dest port
	for n in 1 2; do
		for dest in 10.8.0.9 fd08::9; do
			wire_reset
			holds "$name $dest answers a ping of h$n" ping1 h$n $dest
			is "$name through r$n, without ARP or ND" "$(wire)" "asks=0 r1=$((2 - n)) r2=$((n - 1)) elsewhere=0"
			case $dest in *:*) dest="[$dest]" ;; esac
			for port in udp tcp; do
				is "$name $dest answers h$n over $port" "$(ask h$n "$port:$dest:7" "hello $n")" "hello $n"
			done
			is "$name nothing went elsewhere" "$(wire_some)" \
				"$([ $n = 1 ] && echo asks=0 r1=some r2=none elsewhere=0 || echo asks=0 r1=none r2=some elsewhere=0)"
		done
	done
}

for f in -4 -6; do
	ip -n ep $f rule add ipproto udp sport 1194 lookup 100
	# A mark that changes in OUTPUT is routed again, without ports.
	ip -n ep $f rule add fwmark 0x32/0xff iif lo lookup 100
	ip -n ep $f route add default dev lan0 table 100
done
control ep enable
echo_servers
peer ep echo:1194
refused "no rule: no answer" ping1 h1 -W 1 10.8.0.9
for flavour in legacy nft; do
	rules $flavour 4 10.8.0.0/24
	rules $flavour 6 fd08::/64
	traffic "$flavour:"
	for dest in 192.0.2.2 '[2001:db8:2::2]'; do
		wire_reset
		is "$flavour: a socket of the endpoint answers h2 from $dest" "$(ask h2 "udp:$dest:1194" hello)" hello
		is "$flavour: through r2, without ARP or ND" "$(wire)" "asks=0 r1=0 r2=1 elsewhere=0"
	done
	for family in 4 6; do ipt $flavour $family -F; done
	refused "$flavour: without the rules no answer" ping1 h1 -W 1 10.8.0.9
done

# Other bits of the mark belong to others.
in_ns ep nft -f - <<-'END'
table inet probe {
	counter kept { }
	chain before { type filter hook prerouting priority -160; iifname "lan0" meta mark set 0xab00; }
	chain behind { type filter hook prerouting priority -140; iifname "lan0" ip daddr 10.8.0.9 meta mark 0xab32 counter name kept; }
}
END
rules legacy 4 10.8.0.0/24
holds "a packet that has a mark already is answered" ping1 h1 10.8.0.9
is "and keeps the other bits of it" "$(in_ns ep nft list counter inet probe kept | sed -n 's/.*packets \([0-9]*\) .*/\1/p')" 1
in_ns ep nft delete table inet probe
ipt legacy 4 -F

# The same in nft, as iptables-translate says it: no extension is needed.
{
	echo 'table ip mangle { chain PREROUTING { type filter hook prerouting priority mangle; }; }'
	for words in '-i lan0 -d 10.8.0.0/24 -j GWMARK --orig-mark 0x32 --reply-mark 0x32' '-i tun0 -j GWMARK --reply-mark 0x32'; do
		# shellcheck disable=SC2086
		iptables-translate -t mangle -A PREROUTING $words | sed "s/^nft '\(.*\)'\$/\1/"
	done
} >"$lab_tmp/translated"
in_ns ep iptables-nft -t mangle -X 2>/dev/null || true
holds "the translation is taken by nft" in_ns ep nft -f "$lab_tmp/translated"
wire_reset
holds "and does the same" ping1 h1 10.8.0.9
is "through r1, without ARP" "$(wire)" "asks=0 r1=1 r2=0 elsewhere=0"
in_ns ep nft delete table ip mangle

holds "without rules the target can be unloaded" rmmod xt_GWMARK
done_testing
