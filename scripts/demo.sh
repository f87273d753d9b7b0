#!/usr/bin/env bash
# npm run demo [-- --web [--port PORT]]: installs what is missing, builds, and tells the story of test/demo/one-arm.ts; with --web the
# demo goes on before its clean-up, until Ctrl-C, with a live page at a port of 127.0.0.1 (8119, 0 for a free one).
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

usage() {
  printf 'usage: npm run demo [-- --web [--port PORT]]\n' >&2
  exit 64
}

web='' port=8119
while (($# > 0)); do
  case $1 in
    --web) web=1; shift ;;
    --port) [[ ${2:-} =~ ^[0-9]{1,5}$ && $2 -le 65535 ]] || usage; port=$2; shift 2 ;;
    *) usage ;;
  esac
done

[[ $(id -u) -eq 0 ]] || failed 'network namespaces need root; run: sudo npm run demo'

(need_programs openvpn nft ip ping tcpdump conntrack openssl) || failed 'programs are missing'
need_node_modules || failed 'npm ci did not succeed'
printf '.. npm run build\n'
npm run --silent build || failed 'the build did not succeed'

[[ -n $web ]] || exec node dist/test/demo/run.js

# A process group of its own: Ctrl-C of a terminal is for the demo alone, which ends OpenVPN and the others in their order.
set -m
node dist/test/demo/run.js "$port" &
set +m
demo=$! status=0 interrupted=''
trap 'interrupted=1; kill -INT "$demo" 2>/dev/null || true' INT TERM HUP
wait "$demo" || status=$?
# The signal ended that wait, not the demo.
while [[ -n $interrupted ]]; do
  interrupted='' status=0
  wait "$demo" || status=$?
done
exit "$status"
