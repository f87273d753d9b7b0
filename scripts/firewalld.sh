#!/usr/bin/env bash
# scripts/firewalld.sh: prints the directory of Debian's firewalld, unpacked into .cache/firewalld at the first call
# (GWMARK_CACHE names another cache). It is not installed: its package would start it as this machine's firewall. What it
# needs of Python and D-Bus does nothing by itself, and is installed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cache=$(realpath -m "${GWMARK_CACHE:-$root/.cache}")/firewalld
# shellcheck source=scripts/prepare.sh
. "$root/scripts/prepare.sh"

# Runs what it is given, and shows its output on stderr if it fails twice: the package lists may be missing or old.
with_lists() {
  "$@" >"$cache/log" 2>&1 || { apt-get update -q && "$@"; } >"$cache/log" 2>&1 || { tail -n 20 "$cache/log" >&2; return 1; }
}

mkdir -p "$cache"
# Test files run side by side: one of them fetches.
exec 9>"$cache/lock"
flock 9
command -v apt-get >/dev/null || refuse 'firewalld is fetched with apt-get, which is missing'
if ! command -v dbus-daemon >/dev/null || ! /usr/bin/python3 -c 'import dbus, gi' 2>/dev/null; then
  DEBIAN_FRONTEND=noninteractive with_lists apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 dbus-daemon python3-dbus python3-gi
fi
if [[ ! -x $cache/root/usr/sbin/firewalld ]]; then
  cd "$cache"
  rm -rf root unpacked ./*.deb
  with_lists apt-get download -q firewalld python3-firewall python3-nftables
  for package in ./*.deb; do dpkg-deb -x "$package" unpacked; done
  rm -f ./*.deb
  mv unpacked root
fi
printf '%s\n' "$cache/root"
