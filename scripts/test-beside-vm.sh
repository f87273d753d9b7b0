#!/usr/bin/env bash
# npm run test:beside:vm, npm run test:dco: the rows of test/beside that need a kernel of their own (`where: 'vm'`), in virtual machines, and docs/reference/beside.md
# made of what they showed. The first word is `beside` (Linux 6.12) or `dco` (data channel offload: ovpn-dco with OpenVPN 2.6 in Linux 6.12, ovpn with 2.7 in Debian's
# newest, where the tests of test/vm/dco.test.ts run too). `--kernel K` picks one of the kernels, `--cpus N` gives a guest more than one processor. Needs root; installs
# what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh

case ${1:-} in
  beside) kernels=6.12 ;;
  dco) kernels=6.12,newest ;;
  *) refuse 'usage: scripts/test-beside-vm.sh beside|dco [--kernel K] [--cpus N]' ;;
esac
test=$1
shift
# Two emulated processors have crashed a guest: one met the int3 of a jump label that the other was writing.
cpus=1
while (($# > 0)); do
  case $1 in
    --kernel) kernels=${2:?--kernel wants a version} ;;
    --cpus) cpus=${2:?--cpus wants a number} ;;
    *) refuse "unknown argument: $1" ;;
  esac
  shift 2
done
[[ $(id -u) -eq 0 ]] || refuse "this starts virtual machines on this machine's own files and needs root; use sudo"
need_programs "${LAB_PROGRAMS[@]}" "${VM_PROGRAMS[@]}" wg
need_node_modules
npm run --silent build
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
status=0
# a guest that dies leaves no log
shopt -s nullglob
test/vm/run-all --kernel "$kernels" --cpus "$cpus" --logs "$logs" "$test" || status=1
node dist/test/beside/write-page.js "$logs"/*.log || status=1
exit "$status"
