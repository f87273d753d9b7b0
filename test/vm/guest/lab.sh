# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Helpers for scripts in the guest. Source it; it fails the script at once on any
# unexpected error, and `done_testing` ends it.
#
# Starting a dynamic program costs an emulated machine a tenth of a second and more,
# so what is called often is bash itself or the static busybox.

set -euo pipefail

checks=0 failures=0
lab_tmp=$(mktemp -d)
lab_pids=()
declare -A lab_anchors=() lab_paths=()
exec {lab_never}<> <(:)

lab_end() {
	local pid
	for pid in ${lab_pids[@]+"${lab_pids[@]}"} ${lab_anchors[@]+"${lab_anchors[@]}"}; do
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

# pause SECONDS: between two looks at something; nothing is decided by it.
pause() { read -r -t "$1" -u "$lab_never" || true; }

# eventually TITLE COMMAND...: the command succeeds within some seconds.
eventually() {
	local title=$1 try
	shift
	for try in {1..200}; do
		if "$@" >"$lab_tmp/said" 2>&1; then pass "$title"; return 0; fi
		pause 0.1
	done
	fail "$title" "$* (after $try tries)" "$(cat "$lab_tmp/said")"
}

# until_true COMMAND...: as eventually, without being a check; fails the script.
until_true() {
	local try
	for try in {1..900}; do
		"$@" >/dev/null 2>&1 && return 0
		pause 0.1
	done
	echo "never true: $* ($try tries)"
	return 1
}

done_testing() {
	echo "1..$checks"
	[ "$failures" -eq 0 ] && [ "$checks" -gt 0 ] || { echo "# $failures of $checks failed"; exit 1; }
	exit 0
}

# in_ns NS COMMAND...: a program, by its path, lest busybox takes its own.
in_ns() {
	local path=${lab_paths[$2]:-}
	if [ -z "$path" ]; then
		path=$(type -P "$2")
		lab_paths[$2]=$path
	fi
	busybox nsenter --net="/run/netns/$1" "$path" "${@:3}"
}

# background NS COMMAND...: ended with the script.
background() {
	busybox nsenter --net="/run/netns/$1" "$(type -P "$2")" "${@:3}" >/dev/null 2>&1 &
	lab_pids+=($!)
	background_pid=$!
}

# ns_create NAME...: namespaces with lo up, and no duplicate address detection.
ns_create() {
	local ns
	printf 'netns add %s\n' "$@" | ip -batch -
	for ns in "$@"; do
		# shellcheck disable=SC2016 # expanded inside
		in_ns "$ns" busybox sh -c 'cd /proc/sys/net
			for s in ipv6/conf/default/accept_dad ipv6/conf/all/accept_dad \
				ipv6/conf/default/router_solicitations \
				ipv4/conf/default/rp_filter ipv4/conf/all/rp_filter; do
				echo 0 >$s
			done
			busybox ip link set lo up'
	done
}

# ns_delete NAME: also from our own sight.
ns_delete() {
	[ -z "${lab_anchors[$1]:-}" ] || kill "${lab_anchors[$1]}"
	unset "lab_anchors[$1]"
	ip netns del "$1"
}

# link NS DEV MAC NS DEV MAC: a veth pair, both ends up.
link() {
	ip link add "$2" netns "$1" address "$3" type veth peer name "$5" netns "$4" address "$6"
	ip -n "$1" link set "$2" up
	ip -n "$4" link set "$5" up
}

# links < LINES: each line as the arguments of link().
links() {
	local ns dev mac ns2 dev2 mac2 pairs=''
	declare -A ups=()
	while read -r ns dev mac ns2 dev2 mac2; do
		[ -n "$ns" ] || continue
		pairs+="link add $dev netns $ns address $mac type veth peer name $dev2 netns $ns2 address $mac2"$'\n'
		ups[$ns]+="link set $dev up"$'\n' ups[$ns2]+="link set $dev2 up"$'\n'
	done
	ip -batch - <<<"$pairs"
	for ns in "${!ups[@]}"; do ip -n "$ns" -batch - <<<"${ups[$ns]}"; done
}

# addresses NS DEV ADDR...
addresses() {
	local ns=$1 dev=$2 addr lines=''
	shift 2
	for addr in "$@"; do
		case $addr in
		*:*) lines+="addr add $addr dev $dev nodad"$'\n' ;;
		*) lines+="addr add $addr dev $dev"$'\n' ;;
		esac
	done
	ip -n "$ns" -batch - <<<"$lines"
}

forwarding() {
	local ns
	for ns in "$@"; do
		in_ns "$ns" busybox sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
			echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
	done
}

# lab_anchor NS: sets `proc` to the /proc directory of a process in NS, through which
# this shell reads and writes the files of that namespace.
lab_anchor() {
	local pid=${lab_anchors[$1]:-}
	if [ -z "$pid" ]; then
		busybox nsenter --net="/run/netns/$1" busybox sleep 1000000 >/dev/null 2>&1 &
		pid=$!
		lab_anchors[$1]=$pid
		until [ "/proc/$pid/ns/net" -ef "/run/netns/$1" ]; do pause 0.02; done
	fi
	proc=/proc/$pid
}

# control NS LINE: one command to the module.
control() {
	local proc
	lab_anchor "$1"
	printf '%s\n' "$2" >"$proc/net/gwmark/control"
}

# gwmark_text NS FILE: sets `text` to what the file says.
gwmark_text() {
	local proc
	lab_anchor "$1"
	text=$(<"$proc/net/gwmark/$2")
}

# gwmark_file NS FILE: prints it.
gwmark_file() {
	local text
	gwmark_text "$1" "$2"
	printf '%s\n' "$text"
}

# stat NS NAME: value of a counter.
stat() {
	local text
	gwmark_text "$1" stats
	[[ $text =~ $'\n'$2\ ([0-9]+) ]] || return 1
	echo "${BASH_REMATCH[1]}"
}

# config_is NS LINE: whether the configuration has that line.  stat_above NS NAME N
config_is() {
	local text
	gwmark_text "$1" config
	[[ $'\n'$text$'\n' == *$'\n'"$2"$'\n'* ]]
}
stat_above() { [ "$(stat "$1" "$2")" -gt "$3" ]; }

# moved NS NAME COMMAND...: by how much the counter moved during the command.
moved() {
	local ns=$1 name=$2 before
	shift 2
	before=$(stat "$ns" "$name")
	"$@" >/dev/null 2>&1 || true
	echo $(($(stat "$ns" "$name") - before))
}

# gateways_count NS: how many it knows.
gateways_count() {
	local text lines
	gwmark_text "$1" gateways
	mapfile -t lines <<<"$text"
	echo $((${#lines[@]} - 1))
}

# gateway_field NS MAC KEY: one field of a gateway.
gateway_field() {
	local text line
	gwmark_text "$1" gateways
	while read -r line; do
		[[ $line == *" mac=$2 "* && " $line" =~ \ $3=([^ ]*) ]] || continue
		echo "${BASH_REMATCH[1]}"
	done <<<"$text"
}

# counters NS: sets `text` to all nft counters of NS.  counter_of NAME: from `text`
counters() { text=$(in_ns "$1" nft list counters); }
counter_of() {
	[[ $text =~ counter\ $1\ \{[[:space:]]*packets\ ([0-9]+) ]] || return 1
	echo "${BASH_REMATCH[1]}"
}

# counted NS COUNTER: packets of a named nft counter.
counted() {
	local text
	counters "$1"
	counter_of "$2"
}

# ping1 NS [OPTION...] DEST: one question, 5 s for its answer.
ping1() { in_ns "$1" busybox ping -c 1 -W 5 "${@:2}"; }

# ask NS PROTO:DEST:PORT TEXT [SECONDS]: prints the line that comes back, if one does.
# shellcheck disable=SC2016 # expanded inside
ask() {
	local proto=${2%%:*} rest=${2#*:}
	local host=${rest%:*} port=${rest##*:}
	host=${host#[} host=${host%]}
	in_ns "$1" busybox timeout "${4:-20}" bash -c '
		exec 3<>"/dev/$0" || exit 1
		echo "$1" >&3
		case $0 in udp/*) busybox dd bs=65536 count=1 status=none <&3 ;; *) read -r line <&3 && echo "$line" ;; esac
	' "${proto,,}/$host/$port" "$3" 2>/dev/null || true
}

# peer NS WHAT:PORT...: servers of guest/peer.mjs, ready when this returns. LAB_PEER is a
# program that does the same where node does not run.
peer() {
	local ns=$1 ready program=(node "$(dirname "${BASH_SOURCE[0]}")/peer.mjs")
	[ -z "${LAB_PEER:-}" ] || program=("$LAB_PEER")
	ready=$(mktemp -u "$lab_tmp/peer.XXXXXX")
	shift
	background "$ns" "${program[@]}" "$ready" "$@"
	until_true test -e "$ready"
}
