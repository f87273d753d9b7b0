#!/usr/bin/env bash
# scripts/build-go.sh SOURCE PROGRAM: builds a Go program with the compiler of Debian and the modules in GO_PACKAGES, for tests that
# run programs of others. All of it is unpacked into .cache/go at the first call, 80 MB of packages; nothing is installed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
directory=$(realpath -m "${GWMARK_CACHE:-$root/.cache}")/go
GO_PACKAGES=(golang-github-apparentlymart-go-openvpn-mgmt-dev)
source=${1:?build-go.sh: which source?} program=${2:?build-go.sh: which program?}

# golang-go only depends on the version that this Debian has.
unpack() {
  local version deb
  version=$(apt-cache show golang-go | sed -n 's/^Depends:.*\b\(golang-1\.[0-9]*\)-go.*/\1/p' | head -n 1)
  [[ -n $version ]] || { printf 'no package golang-go\n' >&2; return 1; }
  rm -rf "$directory/root" "$directory/packages"
  mkdir -p "$directory/root" "$directory/packages"
  (cd "$directory/packages" && apt-get download -q "$version-go" "$version-src" "${GO_PACKAGES[@]}") >"$directory/log" 2>&1 || return 1
  for deb in "$directory"/packages/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$directory/root" --no-same-owner
  done
  rm -rf "$directory/packages"
  ln -sfn "root/usr/lib/go-${version#golang-}" "$directory/goroot"
}

mkdir -p "$directory"
if [[ ! -e $directory/complete ]]; then
  # Test files that run side by side ask at the same time.
  (
    flock 9
    [[ -e $directory/complete ]] && exit 0
    unpack || { apt-get update -q >>"$directory/log" 2>&1 && unpack; } || { tail -n 20 "$directory/log" >&2; exit 1; }
    : >"$directory/complete"
  ) 9>"$directory/lock"
fi
export CGO_ENABLED=0 GO111MODULE=off GOFLAGS='' GOTOOLCHAIN=local GOCACHE=$directory/build
export GOROOT=$directory/goroot GOPATH=$directory/root/usr/share/gocode
exec "$GOROOT/bin/go" build -o "$program" "$source"
