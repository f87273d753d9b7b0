#!/usr/bin/env bash
# npm run bench:datapath: installs what is missing, builds, measures. `--help` tells what.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=../../scripts/prepare.sh
source scripts/prepare.sh

if [[ $(id -u) -eq 0 ]]; then
  # Progress and npm's words go to standard error: standard output is the report.
  {
    need_node_modules
    need_programs ip nft unshare nsenter "${VM_PROGRAMS[@]}" gcc make flex bison bc
  } >&2
fi
npm run --silent build >&2
exec node dist/bench/datapath/main.js "$@"
