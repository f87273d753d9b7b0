#!/usr/bin/env bash
# npm run test:debug-kernel: the kernel module's scripts in a kernel with KASAN, lockdep and kmemleak. Arguments are those of
# test/vm/debug-kernel. Needs root; installs what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh

[[ $(id -u) -eq 0 ]] || refuse "this starts a kernel on this machine's own files and needs root; use sudo"
need_programs ip nft ping socat conntrack arping busybox tcpdump gcc make flex bison bc
exec test/vm/debug-kernel "$@"
