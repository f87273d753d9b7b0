#!/usr/bin/env bash
# npm run test:beside: the short matrix beside every neighbour of the table in test/beside, and docs/reference/beside.md made of what it showed. With words, only the
# test files of these names (test-beside.sh routers openvpn). Needs root; installs what is missing, the neighbours themselves in a Debian below .cache.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh

[[ $(id -u) -eq 0 ]] || refuse 'npm run test:beside makes network namespaces and needs root; run: sudo npm run test:beside'
need_programs "${LAB_PROGRAMS[@]}" keepalived setpriv arping dockerd debootstrap systemd-nspawn nsenter
need_node_modules
npm run --silent build
files=('dist/test/beside/*.test.js')
if (($# > 0)); then
  files=("${@/#/dist/test/beside/}")
  files=("${files[@]/%/.test.js}")
fi
options=(--config .mocharc.json --parallel --jobs 2)
[[ ${CI:-} == true ]] && options+=(--forbid-pending)
BESIDE_RESULTS=$(mktemp)
export BESIDE_RESULTS
trap 'rm -f "$BESIDE_RESULTS"' EXIT
status=0
node_modules/.bin/mocha "${options[@]}" "${files[@]}" || status=$?
# What passed is written down whatever else failed: the page shows the last run of each row.
node dist/test/beside/write-page.js "$BESIDE_RESULTS" || status=1
exit "$status"
