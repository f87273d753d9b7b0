#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Beside another program's flowtable that holds the endpoint's devices, on the datapath
# nexthop, with rules made by nftables or, with the argument `iptables', by iptables.
set -euo pipefail
cd "$GWMARK_REPO"
modprobe -a nf_conntrack nf_defrag_ipv6 nf_tables nft_ct nft_fib_inet nft_flow_offload nf_flow_table_inet bridge veth tun
export -n GWMARK_KO GWMARK_OUT GWMARK_MODULES GWMARK_REPO
export GWMARK_DATAPATH=nexthop LAB_PATIENCE=16
[ "${1:-}" != iptables ] || export GWMARK_FIREWALL=iptables GWMARK_IPTABLES_FLAVOUR=nft
exec node node_modules/mocha/bin/mocha.js --config .mocharc.json --reporter tap dist/test/vm/flowtable.test.js
