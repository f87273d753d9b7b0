#!/usr/bin/env bash
# npm run test:iptables: a zero-route endpoint with iptables, on each flavour that this machine has. Needs root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh
need_programs openvpn nft ip ping tcpdump conntrack openssl keepalived iptables ipset
for flavour in ${GWMARK_IPTABLES_FLAVOUR:-nft legacy}; do
  printf '\n== iptables-%s\n' "$flavour"
  GWMARK_FIREWALL=iptables GWMARK_IPTABLES_FLAVOUR=$flavour node_modules/.bin/mocha --config .mocharc.json 'dist/test/iptables/**/*.test.js'
done
