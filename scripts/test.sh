#!/usr/bin/env bash
# npm test: builds, lints and runs every suite; about nine minutes on two cores. The kernel module's tests run meanwhile, in virtual
# machines with Debian's 6.1 (other kernels: npm run test:kernels), with what the other suites leave of the processors; their output
# is shown at the end. Stops at the first suite that fails. The last line is the total, "N passed, N failed". With CI=true a skipped
# test is a failed one. With TEST_EXHAUSTIVE=true nothing is sampled: both flavours of iptables, every place where a recording can be
# cut in two, and all tests of the module, not only those of test/vm/run-all --sample.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh

passed=0
failed=0
work=$(mktemp -d)
log=$work/log
# What runs in the background, by name: a process group each, for an interrupt of the terminal does not reach it.
declare -A beside=()
cleanup() {
  local group
  for group in "${beside[@]}"; do kill -TERM -- "-$group" 2>/dev/null || true; done
  wait
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
exec 3>&1

finish() {
  printf '\n%d passed, %d failed\n' "$passed" "$failed"
  ((failed == 0)) || exit 1
  exit 0
}

# begin NAME COMMAND...: starts it in the background; what it says is kept for `end`.
begin() {
  local name=$1
  shift
  set -m
  "$@" >"$work/$name" 2>&1 </dev/null &
  beside[$name]=$!
  set +m
}

# end NAME: waits for what `begin` started and shows what it said. Its exit code is in `ended`.
end() {
  ended=0
  wait "${beside[$1]}" || ended=$?
  unset "beside[$1]"
  cat "$work/$1"
}

# A step that is no suite: nothing to count unless it fails.
step() {
  local title=$1
  shift
  printf '\n== %s\n' "$title"
  "$@" && return 0
  printf '%s failed\n' "$title" >&2
  failed=$((failed + 1))
  finish
}

# How many tests a log of mocha reports under a word: "passing", "failing".
reported() {
  sed -E 's/\x1b\[[0-9;]*m//g' "$1" | sed -nE "s/^ +([0-9]+) $2.*/\1/p" | tail -n 1
}

# Runs files of dist/test, as a glob below it, with mocha; arguments before `--` are options of mocha, those behind it the command that it is run through.
run_mocha() {
  local files=$1
  shift
  local options=(--config .mocharc.json --reporter spec)
  while (($# > 0)) && [[ $1 != -- ]]; do
    options+=("$1")
    shift
  done
  (($# == 0)) || shift
  # mocha writes into a pipe or a file here and cannot see the terminal itself.
  if [[ -t 3 && -z ${NO_COLOR:-} ]]; then options+=(--color); else options+=(--no-color); fi
  [[ ${CI:-} == true ]] && options+=(--forbid-pending)
  "$@" node_modules/.bin/mocha "${options[@]}" "dist/test/$files/**/*.test.js" 2>&1
}

# Adds what a log of mocha reports to the total. The second argument is mocha's exit code.
count() {
  local passing failing
  passing=$(reported "$1" passing)
  failing=$(reported "$1" failing)
  passed=$((passed + ${passing:-0}))
  failed=$((failed + ${failing:-0}))
  if (($2 != 0 && ${failing:-0} == 0)); then
    # mocha itself fell over: no test counted it.
    failed=$((failed + 1))
  fi
}

# suite FOLDER [OPTION...] [-- COMMAND...]: one folder of dist/test, as run_mocha takes it.
suite() {
  local status=0
  printf '\n== %s\n' "$1"
  run_mocha "$@" | tee "$log" || status=$?
  count "$log" "$status"
  ((failed == 0)) || finish
}

# A part of test/integration in a network namespace of its own, which its files share: a glob of its folders.
integration() {
  # Loopback of a fresh namespace is down; tests that listen on it expect it up.
  # shellcheck disable=SC2016 # expanded by the inner shell
  run_mocha "integration/$1" -- unshare -n -- sh -c 'ip link set lo up && exec "$@"' sh
}

# The other part, and the end of the one that runs since before.
integration_suite() {
  local status=0
  printf '\n== integration\n'
  integration '!(iptables-wrapper|nftables-json)' | tee "$log" || status=$?
  count "$log" "$status"
  end integration
  count "$work/integration" "$ended"
  ((failed == 0)) || finish
}

# The end of the tests of test/vm, or of a part of them. run-all shows whatever fails.
kernel_suite() {
  local passing failing
  printf '\n== vm, kernel 6.1\n'
  end vm
  read -r passing failing < <(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$work/vm" | tail -n 1) || true
  passed=$((passed + ${passing:-0}))
  failed=$((failed + ${failing:-0}))
  # No total: it fell over. A total of nothing proves nothing.
  if ((ended != 0 && ${failing:-0} == 0 || ${passing:-0} == 0)); then failed=$((failed + 1)); fi
  ((failed == 0)) || finish
}

[[ $(id -u) -eq 0 ]] || refuse 'npm test makes network namespaces and needs root; run: sudo npm test (or one suite alone: npm run test:unit)'

need_programs "${LAB_PROGRAMS[@]}" keepalived radvd setpriv chromium "${SHELL_PROGRAMS[@]}" "${VM_PROGRAMS[@]}"
need_promtool
need_node_modules
step build npm run --silent build
# The guests are emulated, which takes most of the time: they come first, and give way to whatever else has something to do.
# The suite netns has inline-nexthop already, on this machine's own kernel.
sample=(--sample)
[[ ${TEST_EXHAUSTIVE:-} != true ]] || sample=()
begin vm nice -n 5 test/vm/run-all "${sample[@]}" --except inline-nexthop
step lint npm run --silent lint
suite unit
begin integration integration '@(iptables-wrapper|nftables-json)'
suite protocol --parallel --jobs 2
suite tarballs
integration_suite
# Every file makes networks of its own, and waits half of its time.
jobs=$(($(nproc) + 2))
suite netns --parallel --jobs "$jobs"
# A part of these once more, with rules made by iptables.
find_flavours
((${#flavours[@]} > 0)) || refuse 'no flavour of iptables works here'
[[ ${TEST_EXHAUSTIVE:-} == true ]] || flavours=("${flavours[0]}")
for flavour in "${flavours[@]}"; do suite iptables --parallel --jobs "$jobs" -- env GWMARK_FIREWALL=iptables GWMARK_IPTABLES_FLAVOUR="$flavour"; done
kernel_suite
finish
