# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0

# Debian packages that the harness itself needs on the host.
host_packages=(qemu-system-x86 busybox-static kmod cpio zstd xz-utils gcc libc6-dev make libxtables-dev iptables)
host_programs=(qemu-system-x86_64 busybox depmod cpio zstd xz)

# host_require: installs what is missing when root, else says what to install.
host_require() {
	local program missing=0
	for program in "${host_programs[@]}"; do
		command -v "$program" >/dev/null || missing=1
	done
	# for the extension of iptables
	[ -e /usr/include/xtables.h ] || missing=1
	[ $missing -eq 1 ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		say "missing programs; install: ${host_packages[*]}"
		return 1
	fi
	say "installing ${host_packages[*]}"
	DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -qq install -y \
		--no-install-recommends "${host_packages[@]}" >&2
}
