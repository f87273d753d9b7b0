#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# With data channel offload: OpenVPN's packets are made by the kernel. The matrix and how
# routers move on the datapath nexthop, and dco.test.ts on both datapaths. Needs
# `test/vm/run --dco`. Arguments name other suites, as netns/matrix-tcp6.
set -uo pipefail
cd "$GWMARK_REPO"
modprobe -a nf_conntrack nf_defrag_ipv6 nf_tables bridge veth tun udp_tunnel ip6_udp_tunnel gcm aesni_intel
status=0
case $LAB_DCO_MODULE in
/*) insmod "$LAB_DCO_MODULE" ;;
*) modprobe "$LAB_DCO_MODULE" ;;
esac || { echo "not ok - the kernel takes no $LAB_DCO_MODULE"; exit 1; }
suites=("$@")
[ $# -gt 0 ] || suites=(netns/{matrix-udp4,failover} vm/dco)
# GWMARK_* is what the sidecar takes for its settings
export LAB_MODULE=$GWMARK_KO
export -n GWMARK_KO GWMARK_OUT GWMARK_MODULES GWMARK_REPO
export LAB_DCO=true LAB_PATIENCE=16
mapfile -t files < <(printf "dist/test/%s.test.js\n" "${suites[@]}")
run() {
	local datapath=$1
	shift
	GWMARK_DATAPATH=$datapath node node_modules/mocha/bin/mocha.js --config .mocharc.json --reporter tap "$@" || status=1
}
run nexthop "${files[@]}"
exit $status
