#!/usr/bin/env bash
# npm run check:module: checkpatch, sparse and W=1 on the kernel module, for each kernel that it is tested on. Arguments are those of
# test/vm/check. Needs root; installs what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh

[[ $(id -u) -eq 0 ]] || refuse "this enters roots with the compilers of other Debian versions and needs root; use sudo"
need_programs make sparse xz
exec test/vm/check "$@"
