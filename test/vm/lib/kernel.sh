# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
# Fetches a Debian kernel, its headers and the compiler that Debian built it
# with, out of the archive that this machine's apt already uses, without
# installing anything. Layout of .cache/vm/SUITE:
#
#   release            uname -r, e.g. 6.1.0-56-amd64
#   vmlinuz            the kernel
#   modules/REL/       its modules, depmod run
#   build/             a root to chroot into: headers, gcc, make (no maintainer
#                      script was run in it)

# kernel_suite WORD: prints the Debian suite that carries the kernel WORD.
kernel_suite() {
	case $1 in
	5.10 | bullseye) echo bullseye ;;
	6.1 | bookworm) echo bookworm ;;
	6.12 | trixie) echo trixie ;;
	newest | sid) echo sid ;;
	*)
		say "unknown kernel '$1'; expected 5.10, 6.1, 6.12, newest, bullseye, bookworm, trixie or sid"
		return 1
		;;
	esac
}

# kernel_sources SUITE: sources.list lines for SUITE, from the mirrors that this
# machine's own apt sources name.
kernel_sources() {
	local suite=$1 uri codename key=/usr/share/keyrings/debian-archive-keyring.gpg
	# shellcheck disable=SC2016 # apt's own format string
	apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Identifier: Packages' |
		sort -u | while read -r uri codename; do
		case $codename in
		*-security)
			[ "$suite" = sid ] || echo "deb [signed-by=$key] $uri $suite-security main"
			;;
		*-*) ;;
		bullseye | bookworm | trixie | sid) echo "deb [signed-by=$key] $uri $suite main" ;;
		esac
	done
}

# kernel_apt DIR COMMAND...: runs an apt program on the private directory DIR.
kernel_apt() {
	local dir=$1 program=$2
	shift 2
	"$program" -q \
		-o Dir::Etc::SourceList="$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
		-o Dir::State="$dir/state" -o Dir::State::status="$dir/status" \
		-o Dir::Cache="$dir/cache" -o APT::Install-Recommends=false \
		-o Acquire::Languages=none -o APT::Sandbox::User=root \
		-o Debug::NoLocking=true "$@"
}

# kernel_fetch SUITE REFRESH: prints the directory of the fetched kernel.
kernel_fetch() {
	local suite=$1 refresh=$2 dir=$cache/vm/$1
	if [ -e "$dir/complete" ] && [ "$refresh" -eq 0 ]; then
		echo "$dir"
		return
	fi
	mkdir -p "$dir"
	(
		flock 9
		if [ ! -e "$dir/complete" ] || [ "$refresh" -eq 1 ]; then
			kernel_download "$suite" "$dir" >&2
		fi
	) 9>"$dir/lock" || {
		say "fetching the kernel of $suite failed"
		return 1
	}
	echo "$dir"
}

# kernel_download SUITE DIR: the work of kernel_fetch(), under its lock.
kernel_download() {
	local suite=$1 dir=$2 apt=$2/apt release deb package file
	say "fetching the kernel of $suite"
	mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
	: >"$apt/status"
	kernel_sources "$suite" >"$apt/sources.list"
	kernel_apt "$apt" apt-get -q update >"$apt/log" 2>&1 || { tail "$apt/log"; return 1; }
	release=$(kernel_apt "$apt" apt-cache depends linux-image-amd64 |
		sed -n 's/^ *Depends: linux-image-\([0-9].*\)$/\1/p' | head -1)
	[ -n "$release" ] || { say "linux-image-amd64 of $suite names no kernel"; return 1; }
	if [ -e "$dir/complete" ] && [ "$(cat "$dir/release")" = "$release" ]; then
		return 0
	fi
	rm -rf "$dir/complete" "$dir/build" "$dir/image" "$dir/modules"

	# With an empty dpkg status apt resolves a whole self-contained root.
	kernel_apt "$apt" apt-get install -y --download-only \
		"linux-headers-$release" make mawk dash bash base-files coreutils sed grep findutils diffutils perl python3 >>"$apt/log" 2>&1 ||
		{ tail "$apt/log"; return 1; }
	mkdir -p "$dir/build" "$dir/image" "$dir/modules"
	for deb in "$apt"/cache/archives/base-files_*.deb "$apt"/cache/archives/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" |
			tar -x -C "$dir/build" --keep-directory-symlink --no-same-owner || return 1
	done
	[ -e "$dir/build/bin/sh" ] || ln -s dash "$dir/build/bin/sh"
	[ -e "$dir/build/usr/bin/awk" ] || ln -s mawk "$dir/build/usr/bin/awk"
	mknod -m 666 "$dir/build/dev/null" c 1 3 2>/dev/null || true
	rm -f "$apt"/cache/archives/*.deb
	# One package until 6.18; since then the image, its modules and base files apart.
	for package in linux-image linux-binary linux-modules linux-base; do
		kernel_apt "$apt" apt-cache show "$package-$release" >/dev/null 2>&1 || continue
		(cd "$apt/cache/archives" && kernel_apt "$apt" apt-get download "$package-$release") \
			>>"$apt/log" 2>&1 || { tail "$apt/log"; return 1; }
	done
	for deb in "$apt"/cache/archives/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir/image" --no-same-owner || return 1
	done
	rm -f "$apt"/cache/archives/*.deb
	# /boot and /lib/modules, or all of it below /usr/lib/modules
	file=$(find "$dir/image" -name "vmlinuz*" -type f | head -1)
	[ -n "$file" ] || { say "the packages of $release hold no vmlinuz"; return 1; }
	mv "$file" "$dir/vmlinuz"
	find "$dir/image" -path "*lib/modules/$release" -prune -exec mv {} "$dir/modules/" \; || return 1
	rm -rf "$dir/image"
	mkdir -p "$dir/depmod/lib"
	ln -sfn ../../modules "$dir/depmod/lib/modules"
	depmod -b "$dir/depmod" "$release" || return 1
	echo "$release" >"$dir/release"
	: >"$dir/complete"
	say "$suite: linux $release"
}
