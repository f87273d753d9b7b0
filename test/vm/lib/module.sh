# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0

# module_build TREE RELEASE: builds module/ for the kernel in TREE, with that
# kernel's own compiler, in a copy, and prints the path of gwmark.ko. Any
# compiler or modpost warning is a failure. Rebuilds only when a source changed.
# shellcheck disable=SC2016 # $0 and $@ are for the inner shell
module_build() {
	local tree=$1 release=$2 copy=$1/build/gwmark sum log=$1/module.log
	(
		flock 9
		sum=$(cd "$repo/module" && git ls-files -co --exclude-standard -z . |
			xargs -0 sha256sum -- | sha256sum)
		if [ ! -e "$copy/gwmark.ko" ] || [ "$(cat "$copy.sum" 2>/dev/null)" != "$sum" ]; then
			rm -rf "$copy" "$copy.sum"
			cp -r "$repo/module" "$copy"
			find "$copy" \( -name '*.o' -o -name '*.ko' -o -name '*.mod*' -o -name '.*.cmd' \) -delete
			# objtool reads /proc/self/limits
			unshare --mount --propagation private sh -c \
				'mkdir -p "$0/proc" && mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' \
				"$tree/build" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/ \
				make -C /gwmark KDIR="/lib/modules/$release/build" W=1 >"$log" 2>&1 ||
				{ cat "$log" >&2; exit 1; }
			if grep -iE 'warning' "$log" >&2; then
				say "the build for $release warns"
				exit 1
			fi
			echo "$sum" >"$copy.sum"
		fi
	) 9>"$tree/lock" || {
		say "the module does not build for $release"
		return 1
	}
	echo "$copy/gwmark.ko"
}
