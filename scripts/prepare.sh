# shellcheck shell=bash
# Sourced by demo.sh, test.sh and bench/datapath/run.sh: what they need before they can start.

# Where Debian keeps the tools of network administration; a plain `su` leaves it out of PATH.
PATH=$PATH:/usr/sbin:/sbin

# The Debian package of each program that the lab runs.
declare -rA PACKAGE_OF=(
  [openvpn]=openvpn [nft]=nftables [ip]=iproute2 [ping]=iputils-ping [arping]=iputils-arping [tcpdump]=tcpdump [conntrack]=conntrack
  [openssl]=openssl [keepalived]=keepalived [radvd]=radvd [socat]=socat [setpriv]=util-linux [unshare]=util-linux
  [flock]=util-linux [iptables]=iptables [ipset]=ipset [chromium]=chromium
  [busybox]=busybox-static
  # of test/protocol
  [zsh]=zsh [fish]=fish [mandoc]=mandoc [script]=bsdutils
  # of test/vm
  [qemu-system-x86_64]=qemu-system-x86 [depmod]=kmod [cpio]=cpio [zstd]=zstd [xz]=xz-utils
  [wg]=wireguard-tools [wireguard-go]=wireguard-go [tincd]=tinc
  # of test/compose and test/packages
  [nsenter]=util-linux [dockerd]=docker.io [docker-compose]=docker-compose [debootstrap]=debootstrap [dpkg-deb]=dpkg
  [systemd-analyze]=systemd [systemd-nspawn]=systemd-container
  # of bench/datapath
  [sparse]=sparse [gcc]=build-essential [make]=make [flex]=flex [bison]=bison [bc]=bc
)

# What real OpenVPN between network namespaces takes, what a virtual machine takes, and what tests of the command line take.
# shellcheck disable=SC2034 # for who sources this
declare -ra LAB_PROGRAMS=(openvpn nft ip ping arping tcpdump conntrack openssl socat unshare flock iptables ipset busybox wg wireguard-go tincd) \
  VM_PROGRAMS=(qemu-system-x86_64 busybox depmod cpio zstd xz arping) \
  SHELL_PROGRAMS=(zsh fish mandoc script)

# Says why nothing was run, and ends the script.
refuse() {
  printf '%s\n' "$1" >&2
  exit 1
}

# Installs the packages of the named programs that are missing. Needs root only if one is.
need_programs() {
  local program packages=()
  for program in "$@"; do
    command -v "$program" >/dev/null || packages+=("${PACKAGE_OF[$program]}")
  done
  ((${#packages[@]} > 0)) || return 0
  command -v apt-get >/dev/null || refuse "missing programs; install the equivalents of these Debian packages: ${packages[*]}"
  printf '.. installing %s\n' "${packages[*]}"
  local install=(apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 "${packages[@]}")
  local log
  log=$(mktemp)
  if ! DEBIAN_FRONTEND=noninteractive "${install[@]}" >"$log" 2>&1; then
    # The package lists may be missing or old.
    if ! { apt-get update -q && DEBIAN_FRONTEND=noninteractive "${install[@]}"; } >"$log" 2>&1; then
      tail -n 20 "$log" >&2
      rm -f "$log"
      refuse "could not install ${packages[*]}"
    fi
  fi
  rm -f "$log"
}

# Unpacks promtool of Debian's package prometheus below .cache, unless it is there: the package itself would install a service.
need_promtool() {
  local directory=.cache/prometheus
  command -v promtool >/dev/null || [[ -x $directory/usr/bin/promtool ]] && return 0
  command -v apt-get >/dev/null || refuse 'promtool is missing; install prometheus'
  printf '.. unpacking promtool\n'
  mkdir -p "$directory"
  (
    cd "$directory"
    apt-get download -q prometheus >log 2>&1 || { apt-get update -q && apt-get download -q prometheus; } >log 2>&1 || { tail -n 20 log >&2; exit 1; }
    dpkg-deb --fsys-tarfile prometheus_*.deb | tar -xf - ./usr/bin/promtool
    rm -f prometheus_*.deb log
  ) || refuse 'could not fetch promtool'
}

# Installs the npm dependencies when there are none, from the lock file.
need_node_modules() {
  command -v node >/dev/null || refuse 'Node.js 20.19 or newer is needed'
  [[ -x node_modules/.bin/tsc ]] && return 0
  printf '.. npm ci\n'
  npm ci --no-audit --no-fund
}

# Puts the flavours of iptables that work here into `flavours`, and says why another does not; that is a failure with CI=true.
find_flavours() {
  local flavour reason
  flavours=()
  for flavour in nft legacy; do
    # shellcheck disable=SC2016 # expanded by the inner shell
    if reason=$(unshare -n sh -ec 'for program in iptables ip6tables; do
      printf "*mangle\n-A PREROUTING -m conntrack --ctdir REPLY -j MARK --set-xmark 0x1/0x1\nCOMMIT\n" | "$program-$1-restore" --test -w 5
    done' sh "$flavour" 2>&1); then
      flavours+=("$flavour")
    else
      printf 'iptables-%s is not tested: it does not work here (%s)\n' "$flavour" "$reason" >&2
      [[ ${CI:-} != true ]] || refuse 'with CI=true both flavours have to be tested'
    fi
  done
}
