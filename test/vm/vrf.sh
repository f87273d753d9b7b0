#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A card in a VRF, which the kernel of the machine that runs the other tests may not have: it is no link, and status and
# doctor say so; beside a card that is in none it is no fault. `npm run build` first.

# shellcheck source=guest/lab.sh
. "$(dirname "${BASH_SOURCE[0]}")/guest/lab.sh"

cd "$GWMARK_REPO"
modprobe vrf
ip link add blue type vrf table 100
ip link set blue up
ip link add lan0 type veth peer name far0
ip link set far0 up
ip link set lan0 master blue
ip address add 192.0.2.10/24 dev lan0
ip link set lan0 up

# Findings of the doctor about devices, a line each: severity, subject, what was found.
devices() {
	(env -u GWMARK_KO -u GWMARK_OUT -u GWMARK_MODULES -u GWMARK_REPO node bin/gwmark doctor --json --control-socket /nonexistent/gwmark.sock "$@" || true) |
		node -e 'for (const { check, severity, subject, found } of JSON.parse(require("fs").readFileSync(0, "utf8")).findings) if (check === "devices") console.log(severity, subject, found)'
}
# What the status would complain of, behind the devices that count as links.
problem() {
	node --input-type=module -e '
		import { readDevices } from "./dist/sidecar/discovery/devices.js";
		import { vrfProblem } from "./dist/sidecar/kernel/device-watch.js";
		const devices = await readDevices(process.argv.slice(1));
		console.log(devices.links.map(({ device }) => device).join(), vrfProblem(devices, process.argv.slice(1), []));
	' -- "$@"
}

ip link set far0 down
is 'the only card is in a VRF: an error of the doctor' "$(devices | grep lan0 | cut -d: -f1)" 'error device lan0 is in VRF blue'
is '... and a problem of the status, without any link' "$(problem)" ' lan0 is in VRF blue, which gwmark does not support: it learns no gateway on it'
is 'the VRF itself is no card' "$(devices | grep -c 'device blue' || true)" 0

ip address add 198.51.100.1/24 dev far0
ip link set far0 up
is 'beside a card that is in none, it is worth knowing' "$(devices | grep 'VRF' | cut -d: -f1)" 'info device lan0 is in VRF blue'
is '... and no problem' "$(problem)" 'far0 null'
is 'unless the setting devices names it' "$(problem lan0)" ' lan0 is in VRF blue, which gwmark does not support: it learns no gateway on it'
is '... and then the doctor says the same' "$(devices --devices lan0 | cut -d: -f1)" 'error device lan0 is in VRF blue'
done_testing
