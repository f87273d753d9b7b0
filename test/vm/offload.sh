#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The setting `offload' on the datapath nexthop, with a real OpenVPN. Arguments are mocha's: `--grep auto'.
set -euo pipefail
cd "$GWMARK_REPO"
modprobe -a nf_conntrack nf_defrag_ipv6 nf_tables nft_ct nft_fib_inet nft_nat nft_masq nft_flow_offload nf_flow_table_inet bridge veth tun
export -n GWMARK_KO GWMARK_OUT GWMARK_MODULES GWMARK_REPO
export GWMARK_DATAPATH=nexthop LAB_PATIENCE=16
exec node node_modules/mocha/bin/mocha.js --config .mocharc.json --reporter tap "$@" dist/test/vm/offload.test.js
