# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Helpers for scripts in the guest. Source it; it fails the script at once on any
# unexpected error, and `done_testing` ends it.

set -euo pipefail

checks=0 failures=0
lab_tmp=$(mktemp -d)
lab_pids=()

lab_end() {
	local pid
	for pid in ${lab_pids[@]+"${lab_pids[@]}"}; do
		kill "$pid" 2>/dev/null || true
	done
	wait 2>/dev/null || true
	rm -rf "$lab_tmp"
}
trap lab_end EXIT
trap 'echo "not ok - line $LINENO failed: $BASH_COMMAND"' ERR

# pass TITLE, fail TITLE [DETAIL...]
pass() { checks=$((checks + 1)); echo "ok - $1"; }
fail() {
	checks=$((checks + 1)) failures=$((failures + 1))
	echo "not ok - $1"
	shift
	[ $# -eq 0 ] || printf '    %s\n' "$@"
}

# is TITLE ACTUAL EXPECTED
is() {
	if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "expected: $3" "actual:   $2"; fi
}

# holds TITLE COMMAND...: the command succeeds.
holds() {
	local title=$1
	shift
	if "$@" >"$lab_tmp/said" 2>&1; then pass "$title"; else fail "$title" "$*" "$(cat "$lab_tmp/said")"; fi
}

# refused TITLE COMMAND...: the command fails.
refused() {
	local title=$1
	shift
	if "$@" >"$lab_tmp/said" 2>&1; then fail "$title" "$*" "$(cat "$lab_tmp/said")"; else pass "$title"; fi
}

# eventually TITLE COMMAND...: the command succeeds within some seconds.
eventually() {
	local title=$1 try
	shift
	for try in {1..100}; do
		if "$@" >"$lab_tmp/said" 2>&1; then pass "$title"; return 0; fi
		read -r -t 0.1 <> <(:) || true
	done
	fail "$title" "$* (after $try tries)" "$(cat "$lab_tmp/said")"
}

# until_true COMMAND...: as eventually, without being a check; fails the script.
until_true() {
	local try
	for try in {1..150}; do
		"$@" >/dev/null 2>&1 && return 0
		read -r -t 0.1 <> <(:) || true
	done
	echo "never true: $* ($try tries)"
	return 1
}

done_testing() {
	echo "1..$checks"
	[ "$failures" -eq 0 ] && [ "$checks" -gt 0 ] || { echo "# $failures of $checks failed"; exit 1; }
	exit 0
}

# in NS COMMAND...
in_ns() { ip netns exec "$@"; }

# background NS COMMAND...: ended with the script.
background() {
	ip netns exec "$@" >/dev/null 2>&1 &
	lab_pids+=($!)
	background_pid=$!
}

# ns_create NAME...: namespaces with lo up, and no duplicate address detection.
ns_create() {
	local ns
	for ns in "$@"; do
		ip netns add "$ns"
		ip -n "$ns" link set lo up
		in_ns "$ns" sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0 \
			net.ipv6.conf.default.router_solicitations=0 \
			net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
	done
}

# link NS DEV MAC NS DEV MAC: a veth pair, both ends up.
link() {
	ip link add "$2" netns "$1" address "$3" type veth peer name "$5" netns "$4" address "$6"
	ip -n "$1" link set "$2" up
	ip -n "$4" link set "$5" up
}

# addresses NS DEV ADDR...
addresses() {
	local ns=$1 dev=$2 addr
	shift 2
	for addr in "$@"; do
		case $addr in
		*:*) ip -n "$ns" addr add "$addr" dev "$dev" nodad ;;
		*) ip -n "$ns" addr add "$addr" dev "$dev" ;;
		esac
	done
}

forwarding() {
	local ns
	for ns in "$@"; do
		in_ns "$ns" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	done
}

# control NS LINE: one command to the module.
# shellcheck disable=SC2016 # expanded inside
control() { in_ns "$1" bash -c 'printf "%s\n" "$0" >/proc/net/gwmark/control' "$2"; }

# gwmark_file NS FILE
gwmark_file() { in_ns "$1" cat "/proc/net/gwmark/$2"; }

# stat NS NAME: value of a counter.
stat() { gwmark_file "$1" stats | awk -v name="$2" '$1 == name { print $2 }'; }

# moved NS NAME COMMAND...: by how much the counter moved during the command.
moved() {
	local ns=$1 name=$2 before
	shift 2
	before=$(stat "$ns" "$name")
	"$@" >/dev/null 2>&1 || true
	echo $(($(stat "$ns" "$name") - before))
}

# field NS MAC KEY: one field of a gateway.
gateway_field() {
	gwmark_file "$1" gateways | grep " mac=$2 " | tr ' ' '\n' | sed -n "s/^$3=//p"
}

# counted NS COUNTER: packets of a named nft counter of table `watch`.
counted() {
	local family
	for family in inet bridge netdev; do
		in_ns "$1" nft list counter $family watch "$2" 2>/dev/null | sed -n 's/.*packets \([0-9]*\) .*/\1/p'
	done | head -1
}

ping1() { in_ns "$1" ping -n -c 1 -W 3 "${@:2}"; }
