# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0

# say TEXT: one line for the person at the terminal, never on stdout.
say() { printf 'vm: %s\n' "$*" >&2; }
