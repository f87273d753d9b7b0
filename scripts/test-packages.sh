#!/usr/bin/env bash
# npm run test:packages: the Debian packages in clean roots of Debian 12 and 13. Needs root; installs what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh

[[ $(id -u) -eq 0 ]] || refuse 'npm run test:packages makes Debian roots and needs root; run: sudo npm run test:packages'
need_programs debootstrap dpkg-deb openvpn nft ip ping openssl socat nsenter unshare systemd-analyze systemd-nspawn
need_node_modules
npm run --silent build
exec node_modules/.bin/mocha --config .mocharc.json 'dist/test/packages/**/*.test.js'
