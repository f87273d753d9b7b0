#!/usr/bin/env bash
# npm run test:compose: docker-compose.yml on a real docker engine of its own. Needs root; installs what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh

[[ $(id -u) -eq 0 ]] || refuse 'npm run test:compose starts a docker engine and needs root; run: sudo npm run test:compose'
need_programs dockerd docker-compose debootstrap openvpn nft ip ping tcpdump socat nsenter unshare
need_node_modules
npm run --silent build
exec node_modules/.bin/mocha --config .mocharc.json 'dist/test/compose/**/*.test.js'
