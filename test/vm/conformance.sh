#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The conformance suite of test/netns, unchanged, on the datapath `module`: real
# OpenVPN between network namespaces of this guest: the matrix. Arguments name other
# suites, as netns/matrix-tcp6 or those of test/module, which only make sense here.
set -euo pipefail
cd "$GWMARK_REPO"
modprobe -a nf_conntrack nf_defrag_ipv6 nf_tables bridge veth tun
insmod "$GWMARK_KO"
suites=("$@")
[ $# -gt 0 ] || suites=(netns/matrix-udp4)
# GWMARK_* is what the sidecar takes for its settings
export LAB_MODULE=$GWMARK_KO
export -n GWMARK_KO GWMARK_OUT GWMARK_MODULES GWMARK_REPO
export GWMARK_DATAPATH=module LAB_PATIENCE=16
mapfile -t files < <(printf "dist/test/%s.test.js\n" "${suites[@]}")
exec node node_modules/mocha/bin/mocha.js --config .mocharc.json --reporter tap \
	"${files[@]}"
