#!/usr/bin/env bash
# npm run test:repeat: one suite many times beside busy loops, to find tests that fail by chance. repeat.sh --help is the manual.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh

usage() {
  cat <<'END_USAGE'
usage: npm run test:repeat [-- [--suite NAME] [--runs N] [--load N] [--logs DIR]]

Runs a suite N times, beside so many busy loops at the priority of the tests. Each run goes to its end, its output (TAP) is kept, and a line
tells how it went; a test that failed is named. The last line is the total.

  --suite NAME  a folder of test/; default netns
  --runs N      default 20
  --load N      busy loops; default 8
  --logs DIR    where the output of each run goes, as DIR/SUITE-N.log; default .cache/repeat
  --help

exit code: 0 if nothing failed, 1 if something did, 64 usage
END_USAGE
}

suite=netns runs=20 load=8 logs=.cache/repeat
while (($# > 0)); do
  case $1 in
    --suite | --runs | --load | --logs)
      (($# > 1)) || { usage >&2; exit 64; }
      declare "${1#--}=$2"
      shift
      ;;
    --help | -h) usage; exit ;;
    *) usage >&2; exit 64 ;;
  esac
  shift
done
[[ -d test/$suite && $runs =~ ^[0-9]+$ && $load =~ ^[0-9]+$ ]] || { usage >&2; exit 64; }

mkdir -p "$logs" || exit
busy=()
trap '((${#busy[@]} == 0)) || kill "${busy[@]}"' EXIT
trap 'exit 130' INT TERM
for ((loop = 0; loop < load; loop++)); do
  # Not forever, even if nobody is left to end it.
  timeout 12h bash -c 'while :; do :; done' &
  busy+=($!)
done

bad=0
for ((run = 1; run <= runs; run++)); do
  start=$SECONDS status=0 log=$logs/$suite-$run.log
  scripts/suite.sh "$suite" --reporter tap --forbid-pending --parallel --jobs "$(($(nproc) + 1))" >"$log" 2>&1 </dev/null || status=$?
  passed=$(grep -c '^ok ' "$log") failed=$(grep -c '^not ok ' "$log")
  # It fell over, or it ran nothing, which proves nothing.
  ((status == 0 && failed == 0 && passed > 0)) || bad=$((bad + 1))
  printf '%s  run %d of %d: %d passed, %d failed, exit code %d, %d s, load %s\n' "$(date +%T)" "$run" "$runs" "$passed" "$failed" "$status" $((SECONDS - start)) "$(cut -d' ' -f1 /proc/loadavg)"
  sed -n 's/^not ok [0-9]* /    /p' "$log"
done
printf '\n%d runs passed, %d failed\n' $((runs - bad)) "$bad"
((bad == 0))
