#!/usr/bin/env bash
# npm run demo: installs what is missing, builds, and tells the story of test/demo/one-arm.ts.
# Ends with "demo: ok" and exit code 0 only if every claim in it was verified.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh

# The story says how long it took from here; scripts/quickstart.sh starts the clock before the clone.
export DEMO_STARTED_AT=${DEMO_STARTED_AT:-$EPOCHSECONDS}

failed() {
  printf '\ndemo: FAILED: %s\n' "$1"
  exit 1
}

[[ $(id -u) -eq 0 ]] || failed 'network namespaces need root; run: sudo npm run demo'

(need_programs openvpn nft ip ping tcpdump conntrack openssl) || failed 'programs are missing'
need_node_modules || failed 'npm ci did not succeed'
printf '.. npm run build\n'
npm run --silent build || failed 'the build did not succeed'

exec node dist/test/demo/run.js
