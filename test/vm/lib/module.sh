# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0

# in_tree TREE COMMAND...: runs a command in the root that has the kernel's headers and compiler.
# shellcheck disable=SC2016 # $0 and $@ are for the inner shell
in_tree() {
	local tree=$1
	shift
	# objtool reads /proc/self/limits
	unshare --mount --propagation private sh -c \
		'mkdir -p "$0/proc" && mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' \
		"$tree/build" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/ "$@"
}

# module_build TREE RELEASE: builds module/ for the kernel in TREE, with that
# kernel's own compiler, in a copy, and prints the path of gwmark.ko. Any
# compiler or modpost warning is a failure. A build is named after its sources:
# another checkout, or a run that is still at it, keeps its own.
module_build() {
	local tree=$1 release=$2 sum name copy log
	sum=$(cd "$repo/module" && git ls-files -co --exclude-standard -z . |
		xargs -0 sha256sum -- | sha256sum)
	name=gwmark-${sum:0:16} copy=$tree/build/$name log=$copy.log
	# one that is done is not waited for, whatever else is being built
	[ ! -e "$copy/complete" ] || { echo "$copy/gwmark.ko"; return; }
	(
		flock 9
		if [ ! -e "$copy/complete" ]; then
			find "$tree/build" -maxdepth 1 -name 'gwmark-*' -mtime +1 -exec rm -rf {} +
			rm -rf "$copy"
			cp -r "$repo/module" "$copy"
			find "$copy" \( -name '*.o' -o -name '*.ko' -o -name '*.mod*' -o -name '.*.cmd' \) -delete
			in_tree "$tree" make -C "/$name" KDIR="/lib/modules/$release/build" W=1 >"$log" 2>&1 ||
				{ cat "$log" >&2; exit 1; }
			if grep -iE 'warning' "$log" >&2; then
				say "the build for $release warns"
				exit 1
			fi
			: >"$copy/complete"
		fi
	) 9>"$copy.lock" || {
		say "the module does not build for $release"
		return 1
	}
	echo "$copy/gwmark.ko"
}
