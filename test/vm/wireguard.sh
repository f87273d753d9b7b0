#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The suites of WireGuard in test/netns, one-arm and inline, with the interfaces of this
# kernel in place of wireguard-go, whose packets begin in the kernel: on both datapaths, or
# on the one that is the argument. A browser would take minutes here, and sees no difference.
set -uo pipefail
cd "$GWMARK_REPO"
modprobe -a nf_conntrack nf_defrag_ipv6 nf_tables bridge veth tun wireguard || exit
module=$GWMARK_KO
# GWMARK_* is what the sidecar takes for its settings
export -n GWMARK_KO GWMARK_OUT GWMARK_MODULES GWMARK_REPO
export LAB_WIREGUARD=kernel LAB_PATIENCE=16 LAB_MODULE=$module
datapaths=("$@") status=0
[ $# -gt 0 ] || datapaths=(nexthop module)
for datapath in "${datapaths[@]}"; do
	if [ "$datapath" = module ]; then
		insmod "$module" || { echo 'not ok - insmod gwmark.ko'; exit 1; }
	fi
	GWMARK_DATAPATH=$datapath node node_modules/mocha/bin/mocha.js --config .mocharc.json --reporter tap \
		dist/test/netns/wireguard{,-inline}.test.js --grep 'gwmark web' --invert || status=1
done
exit $status
