#!/usr/bin/env bash
# suite.sh NAME [OPTION of mocha...]: builds, installs what is missing, and runs one folder of test/: unit, protocol, integration, netns, tarballs, clients.
# `npm test` runs them all; this is for one alone: npm run test:netns -- --grep 'path MTU'
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh

name=${1:?suite.sh: which folder of test/?}
shift
through=()
case $name in
  unit) ;;
  protocol)
    need_promtool
    need_programs "${SHELL_PROGRAMS[@]}"
    ;;
  integration | netns | tarballs | clients)
    [[ $(id -u) -eq 0 ]] || refuse "test:$name changes the network of namespaces that it makes, and needs root; run: sudo npm run test:$name"
    need_programs "${LAB_PROGRAMS[@]}" keepalived radvd setpriv
    [[ $name != netns ]] || { need_promtool && need_programs chromium; }
    ;;
  *) refuse "suite.sh: no suite is named $name" ;;
esac
# Its files share one network namespace, never that of the machine. Loopback of a fresh one is down; tests that listen there expect it up.
# shellcheck disable=SC2016 # expanded by the inner shell
[[ $name != integration ]] || through=(unshare -n -- sh -c 'ip link set lo up && exec "$@"' sh)
need_node_modules
npm run --silent build
exec "${through[@]}" node_modules/.bin/mocha --config .mocharc.json "dist/test/$name/**/*.test.js" "$@"
