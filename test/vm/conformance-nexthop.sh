#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Suites of test/netns without the module, in this kernel: the answer to a router's first
# packet, and clients that are announced. Arguments name other suites, as
# netns/matrix-tcp6. LAB_ROUTERS: how many new routers come.
set -euo pipefail
cd "$GWMARK_REPO"
modprobe -a nf_conntrack nf_defrag_ipv6 nf_tables bridge veth tun
suites=("$@")
[ $# -gt 0 ] || suites=(netns/{first-packet,announce})
# GWMARK_* is what the sidecar takes for its settings
export -n GWMARK_KO GWMARK_OUT GWMARK_MODULES GWMARK_REPO
export GWMARK_DATAPATH=nexthop LAB_PATIENCE=16 LAB_ROUTERS=${LAB_ROUTERS:-20}
mapfile -t files < <(printf "dist/test/%s.test.js\n" "${suites[@]}")
exec node node_modules/mocha/bin/mocha.js --config .mocharc.json --reporter tap \
	"${files[@]}"
