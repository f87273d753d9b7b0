#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Frames at random through the module, with commands, devices that flap, and rules, routes
# and the module that change under way; by `debug-kernel --fuzz MINUTES`.

# shellcheck source=guest/fuzz.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/fuzz.sh"
fuzz_up
fuzz_commands
code=0
in_ns ep "$program" $((60 * ${LAB_FUZZ_MINUTES:-1})) "${LAB_FUZZ_SEED:-1}" "$lab_tmp/commands" "$GWMARK_KO" || code=$?
is "the fuzzer ends well" "$code" 0
done_testing
