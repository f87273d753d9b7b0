#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The short matrix beside the neighbours of test/beside that need a kernel of their own
# (`where: 'vm'`), on the datapath nexthop. Each result is a line `beside-result {...}`,
# which write-page.js takes into docs/reference/beside.md. Arguments go to mocha,
# `--grep VLAN' for instance.
set -euo pipefail
cd "$GWMARK_REPO"
modprobe -a nf_conntrack nf_defrag_ipv6 nf_tables nft_ct nft_fib_inet nft_flow_offload nf_flow_table_inet bridge veth tun dummy \
	8021q bonding macvlan vrf wireguard xfrm_user esp4 esp6 xfrm_algo authenc cbc hmac sha256_generic aesni_intel
# a module that makes a device of its own is told not to
ip link del bond0 2>/dev/null || true
export -n GWMARK_KO GWMARK_OUT GWMARK_MODULES GWMARK_REPO
export GWMARK_DATAPATH=nexthop LAB_PATIENCE=16 BESIDE_RESULTS=stdout
exec node node_modules/mocha/bin/mocha.js --config .mocharc.json --reporter tap dist/test/vm/beside.test.js "$@"
