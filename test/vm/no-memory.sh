#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Each allocation on the paths of frames and commands fails once (failslab): nothing leaks,
# and the kernel has nothing to complain about. In debug-kernel only.

# shellcheck source=guest/fuzz.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/fuzz.sh"
fuzz_up
fuzz_commands
code=0
in_ns ep "$program" fail "${LAB_FUZZ_SEED:-1}" "$lab_tmp/commands" "$GWMARK_KO" | tee "$lab_tmp/fail" || code=$?
is "the failing ends well" "$code" 0
for name in learn_no_memory gateway_no_memory transmit_no_memory; do
	holds "it is counted, $name" grep -E "^# $name +[1-9]" "$lab_tmp/fail"
done
done_testing
