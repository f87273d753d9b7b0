#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The sidecar without the module, with rules made by iptables, in a kernel that has the
# set type hash:mac: the contract of ipset and the firewall on it, and on both flavours
# the matrix and how routers are learnt.
set -uo pipefail
cd "$GWMARK_REPO"
modprobe -a nf_conntrack nf_defrag_ipv6 nf_tables bridge veth tun dummy x_tables ip_tables ip6_tables \
	iptable_mangle ip6table_mangle iptable_filter ip6table_filter iptable_nat ip6table_nat iptable_raw ip6table_raw nft_compat \
	xt_mark xt_MARK xt_conntrack xt_connmark xt_set xt_comment xt_multiport xt_mac ip_set_hash_ip ip_set_hash_net ip_set_hash_mac 2>/dev/null
export -n GWMARK_KO GWMARK_OUT GWMARK_MODULES GWMARK_REPO
export LAB_PATIENCE=16
mocha=(node node_modules/mocha/bin/mocha.js --config .mocharc.json --timeout 900000 --reporter tap)
status=0
# Without it every suite would pass by what the neighbour table tells.
if ipset create probe hash:mac && ipset destroy probe; then
	echo 'ok - the kernel has hash:mac'
else
	echo 'not ok - the kernel has no hash:mac'
	status=1
fi
unshare -n sh -c 'ip link set lo up && exec "$@"' sh \
	"${mocha[@]}" dist/test/integration/{iptables-wrapper/{contract,sets},firewall/iptables}.test.js || status=1
export GWMARK_FIREWALL=iptables GWMARK_DATAPATH=nexthop
for flavour in nft legacy; do
	GWMARK_IPTABLES_FLAVOUR=$flavour "${mocha[@]}" dist/test/iptables/matrix-udp4.test.js dist/test/netns/{silent-router,cold-start}.test.js || status=1
done
exit $status
