# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0

# What the guest needs before it has a root: the bus, 9p and overlayfs.
initramfs_modules=(virtio_pci 9pnet_virtio 9p overlay)

# initramfs_make TREE RELEASE GUEST: prints the path of an initramfs with busybox,
# the modules above with their dependencies in load order, and GUEST/init.
initramfs_make() {
	local tree=$1 release=$2 guest=$3 out=$1/initramfs.cpio root module file name
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
	(cd "$root" && find . | cpio --quiet -o -H newc) >"$out.$$" || return 1
	mv "$out.$$" "$out"
	rm -rf "$root"
	echo "$out"
}
