# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0

# dco_prepare SUITE TREE RELEASE: prints lines of the shell for the guest's job: LAB_OPENVPN,
# an OpenVPN that offloads its data channel to that kernel, and LAB_DCO_MODULE, what modprobe
# or insmod takes for it. In-tree `ovpn' (Linux 6.16) wants OpenVPN 2.7; before that it is the
# module of Debian's openvpn-dco-dkms, and OpenVPN 2.6.
dco_prepare() {
	local suite=$1 tree=$2 release=$3 version=2.7 module=ovpn openvpn
	if [ -z "$(find "$tree/modules" -name 'ovpn.ko*' -print -quit)" ]; then
		version=2.6
		module=$(dco_build "$suite" "$tree" "$release") || return 1
	fi
	openvpn=$("$repo/scripts/openvpn-version.sh" $version) || return 1
	printf 'export LAB_OPENVPN=%q LAB_DCO_MODULE=%q\n' "$openvpn" "$module"
}

# dco_build SUITE TREE RELEASE: builds ovpn-dco-v2 of that suite's openvpn-dco-dkms as
# dkms.conf has it, and prints its path.
dco_build() {
	local suite=$1 tree=$2 release=$3 source=$2/build/ovpn-dco ko
	ko=$source/drivers/net/ovpn-dco/ovpn-dco-v2.ko
	(
		flock 9
		[ -e "$source/complete" ] && exit 0
		say "building ovpn-dco-v2 for $release"
		rm -rf "$source" "$source.deb"
		mkdir "$source.deb"
		(cd "$source.deb" && kernel_apt "$(realpath "$tree/apt")" apt-get download openvpn-dco-dkms) >"$source.log" 2>&1 &&
			dpkg-deb -x "$source.deb"/*.deb "$source.deb/x" && mv "$source.deb"/x/usr/src/ovpn-dco-* "$source" &&
			in_tree "$tree" make -C /ovpn-dco KERNEL_SRC="/lib/modules/$release/build" REVISION=0 >>"$source.log" 2>&1 &&
			[ -e "$ko" ] && rm -rf "$source.deb" && : >"$source/complete" ||
			{ tail -n 30 "$source.log" >&2; exit 1; }
	) 9>"$source.lock" || {
		say "openvpn-dco-dkms of $suite does not build for $release"
		return 1
	}
	echo "$ko"
}
