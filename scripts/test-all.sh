#!/usr/bin/env bash
# npm run test:all: everything that this repository can test, one part after the other. test-all.sh --help is the manual.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh

usage() {
  cat <<'END_USAGE'
usage: npm run test:all [-- [--only PART[,PART...]] [--from PART] [--logs DIR]]
       npm run test:all -- --list

Runs the parts in order, each to its end whatever failed before it, keeps what each says in a file, and shows what failed.
Hours on a small machine: the virtual machines are emulated. The last line is the total, "N passed, N failed".

  --only PART,...  only these
  --from PART      this one and those behind it
  --logs DIR       where the output of each part goes, as DIR/PART.log; default .cache/test-all
  --list           name the parts and their commands, and run nothing
  --help

exit code: 0 if nothing failed, 1 if something did, 64 usage. With CI=true a skipped test is a failed one.
END_USAGE
}

# Nothing is sampled.
export TEST_EXHAUSTIVE=true
jobs=$(($(nproc) + 1))
parallel="--parallel --jobs $jobs"
# A part, what it is, and its command. Fast ones first.
parts=(
  'build|the compiler|npm run --silent build'
  'lint|the linter|npm run --silent lint'
  'unit|pure code, 20000 random lifetimes of clients|env PROPERTY_RUNS=20000 scripts/suite.sh unit'
  'protocol|fakes over real sockets|scripts/suite.sh protocol --parallel --jobs 2'
  'tarballs|what npm pack makes|scripts/suite.sh tarballs'
  "integration|this kernel's nftables and routing|scripts/suite.sh integration"
  "netns|real OpenVPN between network namespaces|scripts/suite.sh netns $parallel"
  'clients|200 real clients for five minutes, and a simulated day|scripts/suite.sh clients'
  'iptables|the same with iptables, both flavours, long suites too|scripts/test-iptables.sh --more'
  'beside|beside other programs, in namespaces|scripts/test-beside.sh'
  'compose|docker compose on an engine of its own|scripts/test-compose.sh'
  'packages|Debian packages in clean roots, the unit under systemd|scripts/test-packages.sh'
  'vm|the kernel module in Linux 6.1, long tests too|scripts/test-vm.sh --more'
  'module|checkpatch, sparse and W=1 on four kernels|scripts/check-module.sh'
  'debug-kernel|the kernel module under KASAN, lockdep and kmemleak, with failing allocations|scripts/test-debug-kernel.sh'
  'fuzz|frames at random, ten minutes, in the same kernel|scripts/test-debug-kernel.sh --fuzz 10'
  'beside-vm|beside other programs, in a virtual machine|scripts/test-beside-vm.sh beside'
  'dco|data channel offload: ovpn-dco in 6.12, ovpn in the newest|scripts/test-beside-vm.sh dco'
  'kernels|the kernel module in 5.10, 6.12 and the newest|scripts/test-vm.sh --kernel 5.10,6.12,newest'
)
names=("${parts[@]%%|*}")

is_part() { [[ " ${names[*]} " == *" $1 "* ]] || { printf 'no part is named %s; known: %s\n' "$1" "${names[*]}" >&2; exit 64; }; }

wanted=() from='' logs=.cache/test-all
while (($# > 0)); do
  case $1 in
    --list)
      for part in "${parts[@]}"; do
        IFS='|' read -r name what command <<<"$part"
        printf '%-12s %-58s %s\n' "$name" "$what" "$command"
      done
      exit
      ;;
    --only | --from | --logs)
      (($# > 1)) || { printf '%s wants a value\n' "$1" >&2; exit 64; }
      case $1 in
        --only) IFS=, read -ra wanted <<<"$2" ;;
        --from) from=$2 ;;
        --logs) logs=$2 ;;
      esac
      shift
      ;;
    --help | -h) usage; exit ;;
    *) usage >&2; exit 64 ;;
  esac
  shift
done
for name in "${wanted[@]}" ${from:+"$from"}; do is_part "$name"; done
chosen=()
for part in "${parts[@]}"; do
  name=${part%%|*}
  [[ $name != "$from" ]] || from=''
  [[ -z $from ]] || continue
  ((${#wanted[@]} == 0)) || [[ " ${wanted[*]} " == *" $name "* ]] || continue
  chosen+=("$part")
done
((${#chosen[@]} > 0)) || { echo 'nothing is left to run' >&2; exit 64; }
[[ $(id -u) -eq 0 ]] || refuse 'npm run test:all makes network namespaces, roots and virtual machines, and needs root; run: sudo npm run test:all'
mkdir -p "$logs" || exit

# Each part is a process group of its own, which an interrupt of this script ends whole.
set -m
child=''
exec {never}<> <(:)
stop() {
  [[ -z $child ]] || kill -TERM -- "-$child" 2>/dev/null
  wait
}
trap 'stop; exit 130' INT TERM

# totals LOG: how many tests it reports as passed, failed and skipped: lines of mocha, or totals of test/vm/run-all.
totals() {
  sed -E 's/\x1b\[[0-9;]*m//g' "$1" | awk '
    /^ +[0-9]+ passing/ { p += $1 }
    /^ +[0-9]+ failing/ { f += $1 }
    /^ +[0-9]+ pending/ { s += $1 }
    /^[0-9]+ passed, [0-9]+ failed$/ { p += $1; f += $3 }
    END { print p + 0, f + 0, s + 0 }'
}

clock() { printf '%d:%02d:%02d' $(($1 / 3600)) $(($1 / 60 % 60)) $(($1 % 60)); }

passed=0 failed=0 number=0 table=()
for part in "${chosen[@]}"; do
  IFS='|' read -r name what command <<<"$part"
  number=$((number + 1))
  printf '%s  %d of %d  %s: %s\n' "$(date +%T)" "$number" "${#chosen[@]}" "$name" "$what"
  start=$SECONDS status=0
  # shellcheck disable=SC2086 # words of the table above
  $command >"$logs/$name.log" 2>&1 </dev/null &
  child=$!
  told=$SECONDS
  while kill -0 "$child" 2>/dev/null; do
    read -r -t 1 -u "$never"
    ((SECONDS - told >= 60)) || continue
    told=$SECONDS
    printf '%s  ... %s, %s; last: %.90s\n' "$(date +%T)" "$name" "$(clock $((SECONDS - start)))" "$(tail -n 1 "$logs/$name.log" | tr -d '\r\033')"
  done
  wait "$child" || status=$?
  child=''
  read -r good bad skipped < <(totals "$logs/$name.log")
  [[ ${CI:-} != true ]] || bad=$((bad + skipped))
  case $name in
    build | lint) good=0 bad=$((status != 0)) ;;
    # It fell over, or it ran nothing, which proves nothing.
    *) ((bad > 0 || (status == 0 && good > 0))) || bad=1 ;;
  esac
  word=ok
  ((bad == 0)) || word=FAILED
  line=$(printf '%-7s %-12s %5d passed, %d failed%s, %s' "$word" "$name" "$good" "$bad" "$( ((skipped == 0)) || printf ', %d skipped' "$skipped")" "$(clock $((SECONDS - start)))")
  printf '%s  %s\n' "$(date +%T)" "$line"
  if ((bad > 0)); then
    printf '          exit code %d; the end of %s:\n' "$status" "$logs/$name.log"
    tail -n 80 "$logs/$name.log" | sed 's/^/    /'
  fi
  table+=("$line")
  passed=$((passed + good)) failed=$((failed + bad))
done
printf '\n'
printf '%s\n' "${table[@]}"
printf '\n%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
