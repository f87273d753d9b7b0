# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# User Mode Linux: the kernel as a program of this machine, at its own speed. Sourced with
# `repo' set, and with say() of say.sh.

# Of Debian's source package of the kernel.
uml_package=linux-source-6.1

# quietly LOG COMMAND...: shows the end of what it said only if it fails.
quietly() {
	local log=$1
	shift
	"$@" >"$log" 2>&1 || { tail -n 30 "$log" >&2; return 1; }
}

# fetch_source DIR: unpacks Debian's source package of the kernel into DIR/source.
fetch_source() {
	say "fetching $uml_package"
	(
		cd "$1"
		rm -rf deb source ./"$uml_package"*.deb
		quietly fetch.log apt-get -q -o APT::Sandbox::User=root download "$uml_package" ||
			{ quietly fetch.log apt-get -q -o DPkg::Lock::Timeout=600 update &&
				quietly fetch.log apt-get -q -o APT::Sandbox::User=root download "$uml_package"; }
		mkdir deb source
		dpkg-deb --fsys-tarfile ./"$uml_package"*.deb | tar -x -C deb
		tar -xf deb/usr/src/"$uml_package".tar.xz -C source --strip-components=1
		rm -rf deb ./"$uml_package"*.deb
	)
}

# make_kernel DIR TARGET...: make in DIR/build, reporting where it is now and then.
make_kernel() {
	local dir=$1
	shift
	make -C "$dir/source" ARCH=um O="$dir/build" -j"$(nproc)" "$@" 2>&1 | tee "$dir/build.log" |
		awk '/^  (CC|LD|AR) / && ++files % 100 == 0 { print "uml: compiled " files " files" > "/dev/stderr"; fflush() }'
}

# kernel_build DIR CONFIG: the kernel and what modules are built against. Where the function
# uml_patch exists, it is called with the directory of the source.
kernel_build() {
	local dir=$1 config=$2 line
	mkdir -p "$dir/build"
	fetch_source "$dir"
	! declare -F uml_patch >/dev/null || uml_patch "$dir/source"
	say 'building the kernel; this is done once and takes some minutes'
	make_kernel "$dir" KCONFIG_ALLCONFIG="$config" allnoconfig
	while read -r line; do
		[[ $line == CONFIG_* ]] || continue
		grep -qxF "$line" "$dir/build/.config" || { say "this kernel cannot have $line"; return 1; }
	done <"$config"
	make_kernel "$dir" linux modules || { tail -n 30 "$dir/build.log" >&2; return 1; }
}

# kernel_of CACHE CONFIG: prints the directory below CACHE of the kernel with that config,
# named after both; builds it the first time.
kernel_of() {
	local cache=$1 config=$2 version dir
	version=$(apt-cache policy "$uml_package" | sed -n 's/^  Candidate: //p')
	if [ -z "$version" ] || [ "$version" = '(none)' ]; then
		quietly /dev/null apt-get -q -o DPkg::Lock::Timeout=600 update || true
		version=$(apt-cache policy "$uml_package" | sed -n 's/^  Candidate: //p')
	fi
	[ -n "$version" ] && [ "$version" != '(none)' ] || { say "apt knows no $uml_package"; return 1; }
	dir=$cache/uml-$version-$(sha256sum <"$config" | cut -c1-16)
	mkdir -p "$dir"
	(
		flock 9
		[ -e "$dir/complete" ] || { kernel_build "$dir" "$config" && : >"$dir/complete"; } >&2
	) 9>"$dir/lock" || return 1
	echo "$dir"
}

# module_of DIR: prints the path of gwmark.ko, built for the kernel in DIR.
module_of() {
	local dir=$1 sum copy
	sum=$(cd "$repo/module" && git ls-files -co --exclude-standard -z . | xargs -0 sha256sum -- | sha256sum)
	copy=$dir/gwmark-${sum:0:16}
	(
		flock 9
		[ ! -e "$copy/complete" ] || exit 0
		rm -rf "$copy"
		mkdir "$copy"
		cd "$repo/module"
		git ls-files -co --exclude-standard -z . | xargs -0 cp --parents -t "$copy"
		quietly "$dir/module.log" make -C "$copy" ARCH=um KDIR="$dir/build"
		: >"$copy/complete"
	) 9>"$dir/lock" || return 1
	echo "$copy/gwmark.ko"
}
