#!/usr/bin/env bash
# scripts/openvpn-version.sh 2.5|2.6|2.7: prints the path of an OpenVPN of that version that runs here, beside whatever is
# installed. 2.5 is Debian 11's, 2.7 is sid's: their packages and the libraries below these are unpacked into
# .cache/openvpn/SUITE at the first call (GWMARK_CACHE names another cache); nothing is installed. 2.6 is the one of this machine.
#
# What is printed is a small script that ends in exec, so that the process keeps its id, and its name is openvpn.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cache=$(realpath -m "${GWMARK_CACHE:-$root/.cache}")
say() { printf '%s\n' "$*" >&2; }
# shellcheck source=test/vm/lib/kernel.sh
. "$root/test/vm/lib/kernel.sh"

# Unpacks OpenVPN of a suite, and the libraries that it needs, into a directory.
unpack() {
  local suite=$1 directory=$2 apt=$2/apt deb
  say "fetching OpenVPN of $suite"
  rm -rf "$directory/root"
  mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$directory/root"
  # With an empty dpkg status apt finds every library, the C library among them.
  : >"$apt/status"
  kernel_sources "$suite" >"$apt/sources.list"
  kernel_apt "$apt" apt-get update >"$apt/log" 2>&1 || { tail "$apt/log" >&2; return 1; }
  kernel_apt "$apt" apt-get install -y --download-only openvpn >>"$apt/log" 2>&1 || { tail "$apt/log" >&2; return 1; }
  for deb in "$apt"/cache/archives/{openvpn,lib}*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$directory/root" --keep-directory-symlink --no-same-owner || return 1
  done
  rm -rf "$apt"
}

# A copy of the suite's own loader has the program's name: the kernel names the process after the file that it executes.
wrap() {
  local directory=$1 loader triplet
  loader=$(find "$directory/root" -name 'ld-linux*.so.*' | head -n 1)
  [[ -n $loader ]] || { say "no loader in $directory/root"; return 1; }
  triplet=$(basename "$(find "$directory/root" -name 'libcrypto.so.*' -printf '%h\n' | head -n 1)")
  mkdir -p "$directory/loader"
  cp -L "$loader" "$directory/loader/openvpn"
  cat >"$directory/openvpn" <<SCRIPT
#!/bin/sh
here=$directory
exec "\$here/loader/openvpn" --library-path "\$here/root/usr/lib/$triplet:\$here/root/lib/$triplet" "\$here/root/usr/sbin/openvpn" "\$@"
SCRIPT
  chmod 755 "$directory/openvpn"
  "$directory/openvpn" --version | head -n 1 >&2
}

case ${1:-} in
  2.5) suite=bullseye ;;
  2.6)
    command -v openvpn
    exit
    ;;
  2.7) suite=sid ;;
  *)
    say "usage: $0 2.5|2.6|2.7"
    exit 2
    ;;
esac
directory=$cache/openvpn/$suite
if [[ ! -e $directory/complete ]]; then
  mkdir -p "$directory"
  # Test files that run side by side ask at the same time.
  (
    flock 9
    [[ -e $directory/complete ]] && exit 0
    unpack "$suite" "$directory" && wrap "$directory" && : >"$directory/complete"
  ) 9>"$directory/lock"
fi
[[ $("$directory/openvpn" --version) == "OpenVPN $1"* ]] || { say "Debian $suite has no OpenVPN $1; see $directory"; exit 1; }
printf '%s\n' "$directory/openvpn"
