#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The conformance suite on the datapath `module` with rules made by iptables, in both
# flavours.
set -uo pipefail
modprobe -a x_tables ip_tables ip6_tables iptable_mangle ip6table_mangle nft_compat \
	xt_mark xt_conntrack xt_connmark xt_set xt_comment xt_multiport \
	ip_set_hash_ip ip_set_hash_net ip_set_hash_mac
export GWMARK_FIREWALL=iptables
status=0
for flavour in nft legacy; do
	rmmod gwmark 2>/dev/null
	GWMARK_IPTABLES_FLAVOUR=$flavour "${BASH_SOURCE[0]%/*}/conformance.sh" iptables/{matrix-udp4,clients} || status=1
done
exit $status
