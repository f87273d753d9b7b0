#!/usr/bin/env bash
# npm run quickstart: what the README says under "See it", from a clone on, with the clock running: git clone, npm run demo.
# Ends with "quickstart: ok" and exit code 0 only if a client was connected and its traffic returned by MAC within five minutes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

limit=${QUICKSTART_LIMIT_SECONDS:-300}
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

failed() {
  printf '\nquickstart: FAILED: %s\n' "$1"
  exit 1
}

grep -qx ' *npm run demo' README.md || failed 'README.md does not say "npm run demo" any more'
export DEMO_STARTED_AT=$EPOCHSECONDS
printf '.. git clone\n'
git clone --quiet . "$directory/gwmark" || failed 'git clone did not succeed'
(cd "$directory/gwmark" && npm run --silent demo) | tee "$directory/log" || failed 'npm run demo did not succeed'

seconds=$(sed -nE 's/^ *from the start to a connected client with returned traffic: ([0-9]+) s$/\1/p' "$directory/log")
[[ -n $seconds ]] || failed 'the demo did not say when traffic returned'
printf '\nfrom git clone to a connected client with returned traffic: %d s (at most %d); to the end: %d s\n' \
  "$seconds" "$limit" $((EPOCHSECONDS - DEMO_STARTED_AT))
((seconds <= limit)) || failed "that took more than $limit s"
printf 'quickstart: ok\n'
