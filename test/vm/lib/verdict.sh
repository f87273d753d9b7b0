# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0

# Lines of a kernel log that mean a defect, whoever caused it.
complaints='WARNING: |BUG: |BUG:|BUG [a-z]|Oops|general protection fault|Kernel panic|kernel BUG at|Call Trace:|possible recursive locking|possible circular locking|inconsistent lock state|suspicious RCU usage|rcu: INFO: |rcu_sched self-detected|soft lockup|hard LOCKUP|blocked for more than|unregister_netdevice: waiting|refcount_t: |use-after-free|KASAN:|unreferenced object|scheduling while atomic|sleeping function called|Object .* on __kmem_cache_shutdown|bad page'

# verdict WORK QEMU_CODE LIMIT [ALLOW...]: says what went wrong, if anything,
# and returns the exit code of the run.
verdict() {
	local work=$1 qemu_code=$2 limit=$3 pattern found code
	shift 3
	found=$(cat "$work/kernel.log" "$work/dmesg" 2>/dev/null | grep -aE "$complaints" || true)
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
