#!/usr/bin/env bash
# npm run demo:inline [-- --datapath nexthop|module]: installs what is missing, builds, and tells the story of test/demo/inline.ts; without
# the kernel module, or (module) in a virtual machine: then it fetches Debian's Linux 6.1 once and builds gwmark.ko for it.
# Ends with "demo: ok" and exit code 0 only if every claim in it was verified.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh

failed() {
  printf '\ndemo: FAILED: %s\n' "$1"
  exit 1
}

# A line every ten seconds until the command is done: the first fetch takes a minute or more.
with_progress() {
  local title=$1 started=$SECONDS ticker status=0
  shift
  printf '.. %s\n' "$title"
  while sleep 10; do printf '   %d s, %s so far\n' $((SECONDS - started)) "$(du -shx "$cache" 2>/dev/null | cut -f1)"; done &
  ticker=$!
  "$@" >/dev/null || status=$?
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  return $status
}

usage() {
  printf 'usage: npm run demo:inline [-- --datapath nexthop|module]\n' >&2
  exit 64
}

datapath=nexthop
while [[ $# -gt 0 ]]; do
  case $1 in
    --datapath) [[ ${2:-} =~ ^(nexthop|module)$ ]] || usage; datapath=$2; shift 2 ;;
    --datapath=nexthop | --datapath=module) datapath=${1#*=}; shift ;;
    *) usage ;;
  esac
done

[[ $(id -u) -eq 0 ]] || failed 'network namespaces need root; run: sudo npm run demo:inline'

(need_programs openvpn nft ip ping tcpdump conntrack openssl) || failed 'programs are missing'
need_node_modules || failed 'npm ci did not succeed'
printf '.. npm run build\n'
npm run --silent build || failed 'the build did not succeed'

[[ $datapath == module ]] || exec node dist/test/demo/run-inline.js

cache=${GWMARK_CACHE:-.cache}
mkdir -p "$cache"
with_progress "fetching Debian's Linux 6.1 if it is not there yet, and building gwmark.ko for it" test/vm/run --build-only ||
  failed 'the kernel could not be fetched or the module not be built'
printf '.. booting it under qemu, without KVM: some seconds, and everything in it takes its time\n'
plain=()
[[ -t 1 && -z ${NO_COLOR:-} ]] || plain=(--plain)
# One processor: two emulated ones have crashed a guest at a jump label.
test/vm/run --cpus 1 --timeout 1800 test/vm/guest/demo-inline.mjs "${plain[@]}" || failed "exit code $? of the virtual machine"
