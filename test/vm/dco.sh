#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# With data channel offload: the kernel makes OpenVPN's packets, in-tree `ovpn' where there
# is one, else ovpn-dco-v2. The row of test/beside for it, and dco.test.ts and dco-killed.test.ts on
# both datapaths. Needs `test/vm/run --dco`. Arguments name other suites, as
# netns/matrix-tcp6, for the datapath nexthop.
set -uo pipefail
cd "$GWMARK_REPO"
modprobe -a nf_conntrack nf_defrag_ipv6 nf_tables bridge veth tun udp_tunnel ip6_udp_tunnel gcm aesni_intel
case $LAB_DCO_MODULE in
/*) insmod "$LAB_DCO_MODULE" ;;
*) modprobe "$LAB_DCO_MODULE" ;;
esac || { echo "not ok - the kernel takes no $LAB_DCO_MODULE"; exit 1; }
module=$GWMARK_KO
# GWMARK_* is what the sidecar takes for its settings
export -n GWMARK_KO GWMARK_OUT GWMARK_MODULES GWMARK_REPO
export LAB_DCO=true LAB_PATIENCE=16 BESIDE_RESULTS=stdout
status=0
# run DATAPATH SUITE...
run() {
	local datapath=$1 files
	shift
	mapfile -t files < <(printf "dist/test/%s.test.js\n" "$@")
	GWMARK_DATAPATH=$datapath node node_modules/mocha/bin/mocha.js --config .mocharc.json --reporter tap "${files[@]}" || status=1
}
if [ $# -gt 0 ]; then
	run nexthop "$@"
	exit $status
fi
run nexthop vm/dco-beside vm/dco vm/dco-killed
insmod "$module" || { echo 'not ok - insmod gwmark.ko'; exit 1; }
run module vm/dco vm/dco-killed
exit $status
