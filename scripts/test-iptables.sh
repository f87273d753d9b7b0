#!/usr/bin/env bash
# npm run test:iptables [-- --more]: a zero-route endpoint whose rules are made with iptables, on each flavour that this machine has; the part that
# npm test runs too, and with --more the suites that need longer. Needs root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh

[[ $(id -u) -eq 0 ]] || refuse 'this makes network namespaces and needs root; use sudo'
folders=(iptables)
case ${1:-} in
  --more) folders+=(iptables-more) ;;
  '') ;;
  *) refuse "unknown argument: $1" ;;
esac
need_programs "${LAB_PROGRAMS[@]}" setpriv
need_node_modules
npm run --silent build
find_flavours
status=0
for flavour in "${flavours[@]}"; do
  printf '\n== iptables-%s\n' "$flavour"
  GWMARK_FIREWALL=iptables GWMARK_IPTABLES_FLAVOUR=$flavour node_modules/.bin/mocha --config .mocharc.json --parallel --jobs 2 \
    "${folders[@]/#/dist/test/}" --extension .test.js || status=1
done
exit $status
