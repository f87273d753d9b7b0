# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0

# Lines of a kernel log that mean a defect, whoever caused it.
complaints='WARNING: |BUG: |BUG:|BUG [a-z]|Oops|general protection fault|Kernel panic|kernel BUG at|Call Trace:|possible recursive locking|possible circular locking|inconsistent lock state|suspicious RCU usage|rcu: INFO: |rcu_sched self-detected|soft lockup|hard LOCKUP|blocked for more than|unregister_netdevice: waiting|refcount_t: |use-after-free|KASAN:|unreferenced object|scheduling while atomic|sleeping function called|Object .* on __kmem_cache_shutdown|bad page'

# Warnings of others that say nothing of us: ovpn-dco-v2 of openvpn-dco-dkms does not say
# which counters its devices have, which Linux 6.12.117 asks each tunnel once.
known_warnings='include/net/ip_tunnels[.]h:[0-9]+ (iptunnel_xmit|udp_tunnel6_xmit_skb)'

# without_known: a kernel log on stdin, without the whole traces of known warnings.
without_known() {
	awk -v known="WARNING: .* at $known_warnings" '
		/\[ cut here \]/ { if (holding) print held; held = $0; holding = 1; drop = 0; next }
		!holding { print; next }
		{ held = held "\n" $0 }
		$0 ~ known { drop = 1 }
		/---\[ end trace / { if (!drop) print held; holding = drop = 0 }
		END { if (holding) print held }'
}

# verdict WORK QEMU_CODE LIMIT [ALLOW...]: says what went wrong, if anything,
# and returns the exit code of the run.
verdict() {
	local work=$1 qemu_code=$2 limit=$3 file pattern found code
	shift 3
	found=$(for file in kernel.log dmesg; do
		[ ! -e "$work/$file" ] || without_known <"$work/$file"
	done | grep -aE "$complaints" || true)
	for pattern in "$@"; do
		found=$(grep -avE "$pattern" <<<"$found" || true)
	done
	if [ -n "$found" ]; then
		say "the kernel complained:"
		tail -n 120 "$( [ -e "$work/dmesg" ] && echo "$work/dmesg" || echo "$work/kernel.log")" | tr -d '\r' >&2
	fi
	if [ ! -e "$work/code" ]; then
		if [ "$qemu_code" -eq 124 ] || [ "$qemu_code" -eq 137 ]; then
			say "no end after $limit s (--timeout)"
		else
			say "the guest died before the script ended (qemu exit code $qemu_code)"
		fi
		[ -n "$found" ] || tail -n 40 "$work/kernel.log" | tr -d '\r' >&2
		return 71
	fi
	code=$(cat "$work/code")
	[ -z "$found" ] || [ "$code" -ne 0 ] || code=70
	return "$code"
}
