#!/usr/bin/env bash
# npm run package:deb: makes gwmark_VERSION_ARCH.deb and gwmark-dkms_VERSION_all.deb in dist/deb.
# Needs npm ci and dpkg-deb, not root. Maintainer scripts and control files lie in deploy/debian.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/prepare.sh
. scripts/prepare.sh

command -v dpkg-deb >/dev/null || refuse 'dpkg-deb is needed: a Debian package is made on a Debian machine'
need_node_modules
npx tsc -b packages/* sidecar web
version=$(node -p 'require("./package.json").version')
arch=$(dpkg --print-architecture)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Every file gets the time of the last change of the sources, so that the same sources give the same package.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
export SOURCE_DATE_EPOCH

# documentation PACKAGE: what policy wants of every package.
documentation() {
  local dir=$work/$1/usr/share/doc/$1
  mkdir -p "$dir"
  cp "deploy/debian/$1.copyright" "$dir/copyright"
  gzip -9nc CHANGELOG.md >"$dir/changelog.gz"
}

# control PACKAGE ARCH: the control file with version and size, the maintainer scripts, and the package itself.
finish() {
  local package=$1 architecture=$2 root=$work/$1 script
  documentation "$package"
  mkdir -p "$root/DEBIAN"
  for script in preinst postinst prerm postrm conffiles; do
    [[ -f deploy/debian/$package.$script ]] || continue
    sed "s/@VERSION@/$version/g" "deploy/debian/$package.$script" >"$root/DEBIAN/$script"
    [[ $script == conffiles ]] || chmod 755 "$root/DEBIAN/$script"
  done
  sed -e "s/@VERSION@/$version/g" -e "s/@ARCH@/$architecture/g" \
    -e "s/@SIZE@/$(du -sk --exclude=DEBIAN "$root" | cut -f1)/" "deploy/debian/$package.control" >"$root/DEBIAN/control"
  (cd "$root" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
  chmod -R u+rwX,go+rX,go-w "$root"
  mkdir -p dist/deb
  dpkg-deb --root-owner-group --build "$root" "dist/deb/${package}_${version}_$architecture.deb"
}

root=$work/gwmark
mkdir -p "$root/usr/lib/gwmark" "$root/usr/bin" "$root/usr/lib/systemd/system" "$root/etc/gwmark" "$root/usr/share/doc/gwmark/examples"
scripts/stage.sh "$root/usr/lib/gwmark"
rm "$root/usr/lib/gwmark/LICENSE"
ln -s ../lib/gwmark/bin/gwmark "$root/usr/bin/gwmark"
cp "deploy/systemd/gwmark@.service" "$root/usr/lib/systemd/system/"
for page in docs/man/*; do
  mkdir -p "$root/usr/share/man/man${page##*.}"
  gzip -9nc "$page" >"$root/usr/share/man/man${page##*.}/${page##*/}.gz"
done
# completion SHELL FILE: where the shells of a Debian machine look.
completion() {
  mkdir -p "$root/usr/share/${2%/*}"
  bin/gwmark completion "$1" >"$root/usr/share/$2"
}
completion bash bash-completion/completions/gwmark
completion zsh zsh/vendor-completions/_gwmark
completion fish fish/vendor_completions.d/gwmark.fish
cp deploy/debian/gwmark.yaml "$root/usr/share/doc/gwmark/examples/"
finish gwmark "$arch"

root=$work/gwmark-dkms
mkdir -p "$root/usr/src/gwmark-$version" "$root/usr/lib/modules-load.d"
git ls-files -z module 2>/dev/null | xargs -0 -I{} cp --parents {} "$work" || cp -r module "$work/"
cp -r "$work/module/." "$root/usr/src/gwmark-$version/"
sed -i "s/^PACKAGE_VERSION=.*/PACKAGE_VERSION=\"$version\"/" "$root/usr/src/gwmark-$version/dkms.conf"
echo gwmark >"$root/usr/lib/modules-load.d/gwmark.conf"
finish gwmark-dkms all
