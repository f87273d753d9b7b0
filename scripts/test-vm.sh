#!/usr/bin/env bash
# npm run test:vm, npm run test:kernels: the kernel module's tests and the conformance suite in virtual machines. Arguments are those of
# test/vm/run-all. Needs root; installs what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh

[[ $(id -u) -eq 0 ]] || refuse "this starts virtual machines on this machine's own files and needs root; use sudo"
need_programs "${LAB_PROGRAMS[@]}" "${VM_PROGRAMS[@]}"
need_promtool
need_node_modules
npm run --silent build
exec test/vm/run-all "$@"
