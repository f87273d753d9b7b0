# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0

# What the guest needs before it has a root: the bus, 9p and overlayfs.
initramfs_modules=(virtio_pci 9pnet_virtio 9p overlay)

# What scripts start repeatedly. The guest keeps these in memory: each opening of
# a file over 9p is a dozen round trips through qemu.
initramfs_hot=(bash dash busybox ip bridge nft ping cat sed grep mawk gawk head tail wc tr sort seq sleep timeout
	env mktemp rm cp mkdir readlink sysctl conntrack socat openvpn openssl tcpdump ss arping kmod setpriv tee)

# initramfs_programs DIR: copies them to DIR under their own paths, with the
# libraries that they load.
initramfs_programs() {
	local program files=()
	for program in "${initramfs_hot[@]}"; do
		program=$(command -v "$program") || continue
		files+=("$(realpath "$program")")
	done
	mapfile -t files < <(
		printf '%s\n' "${files[@]}"
		ldd "${files[@]}" 2>/dev/null | sed -nE 's/^[^/]*(\/[^ ]+) \(0x.*/\1/p' | sort -u | xargs -r realpath
	)
	printf '%s\0' "${files[@]}" | sort -zu | (cd / && cpio --quiet -0 -pdL "$1" 2>/dev/null)
}

# initramfs_repository DIR: copies to DIR what the sidecar and the suites of test/ load.
initramfs_repository() {
	(cd "$repo" && find bin dist packages node_modules package.json .mocharc.json \
		\( -path 'node_modules/@typescript' -o -path 'node_modules/@oxlint*' -o -path 'node_modules/typescript' \
		-o -path 'node_modules/oxlint*' -o -path 'node_modules/@types' -o -path 'node_modules/@oxfmt' -o -path 'node_modules/oxfmt' \
		-o -path 'node_modules/@cspell' -o -path 'node_modules/cspell*' -o -path 'node_modules/playwright-core' \
		-o -path 'packages/*/node_modules' \) -prune \
		-o \( -type f ! -name '*.ts' ! -name '*.cts' ! -name '*.mts' ! -name '*.map' ! -name '*.md' -o -type l \) -print0 |
		cpio --quiet -0 -pdm "$1$repo" 2>/dev/null)
}

# initramfs_make TREE RELEASE GUEST REPOSITORY: prints the path of an initramfs with
# busybox, the modules above with their dependencies in load order, and GUEST/init;
# with the repository's build too if REPOSITORY is 1.
initramfs_make() {
	local tree=$1 release=$2 guest=$3 repository=$4 out=$1/initramfs-$$.cpio root module file name
	root=$(mktemp -d)
	mkdir -p "$root"/{bin,modules,proc,sys,dev,root,host,rw}
	cp "$(command -v busybox)" "$root/bin/busybox"
	cp "$guest/init" "$root/init"
	chmod 755 "$root/init"
	: >"$root/modules/order"
	for module in "${initramfs_modules[@]}"; do
		modprobe -d "$tree/depmod" -S "$release" --show-depends "$module" 2>/dev/null |
			sed -n 's/^insmod \([^ ]*\).*/\1/p' | while read -r file; do
			name=$(basename "$file")
			name=${name%.xz} name=${name%.zst} name=${name%.gz}
			grep -qx "$name" "$root/modules/order" && continue
			case $file in
			*.xz) xz -dc "$file" >"$root/modules/$name" ;;
			*.zst) zstd -qdc "$file" >"$root/modules/$name" ;;
			*) cp "$file" "$root/modules/$name" ;;
			esac
			echo "$name" >>"$root/modules/order"
		done
	done
	mkdir "$root/hot"
	initramfs_programs "$root/hot"
	[ "$repository" -eq 0 ] || initramfs_repository "$root/hot"
	(cd "$root" && find . | cpio --quiet -o -H newc) >"$out" || return 1
	rm -rf "$root"
	echo "$out"
}
