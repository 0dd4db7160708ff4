#!/usr/bin/env bash
# install-system.sh [GROUP...]   installs what is missing on a Debian or Ubuntu machine
#
#   base  what make and the Python environment need
#   lab   what `make demo` and the tests in network namespaces need
#   vm    what the tests in a virtual machine need
#
# Without arguments all groups. Not root, or no apt-get: says what is missing and goes on; whoever
# needs it will say so again. Nothing that is already there is touched.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

has() { command -v "$1" >/dev/null; }

# One line each: group, package, and a command that succeeds when there is nothing to install.
wanted() {
  cat <<'TABLE'
base ca-certificates test -d /etc/ssl/certs
base git has git
base make has make
base python3 has "${PYTHON:-python3}"
base python3-venv "${PYTHON:-python3}" -c 'import ensurepip, venv'
lab containernetworking-plugins test -x /usr/lib/cni/bridge -o -x /opt/cni/bin/bridge
lab iproute2 has ip
lab iptables has iptables-nft && has iptables-legacy
lab iputils-ping has ping
lab kmod has modprobe
lab nftables has nft
lab procps has sysctl && has ps
lab tcpdump has tcpdump
lab util-linux has nsenter && has setpriv
lab wireguard-go has wireguard-go || test -e /sys/module/wireguard
lab wireguard-tools has wg
vm busybox-static has busybox
vm cpio has cpio
vm dpkg has dpkg
vm qemu-system-common test -x /usr/lib/qemu/virtiofsd -o -x /usr/libexec/virtiofsd -o -d /usr/share/qemu
vm qemu-system-x86 has qemu-system-x86_64
TABLE
}

missing=()
while read -r group package probe; do
  [[ " ${*:-base lab vm} " == *" $group "* ]] || continue
  eval "$probe" >/dev/null 2>&1 || missing+=("$package")
done < <(wanted)

[ ${#missing[@]} -gt 0 ] || exit 0
if ! has apt-get; then
  echo "missing here: ${missing[*]} (names as in Debian; no apt-get to install them with)"
elif [ "$(id -u)" -ne 0 ]; then
  echo "missing here, and only root may install it: apt-get install ${missing[*]}"
else
  echo "installing: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  {
    apt-get update -qq && apt-get install -qq -y --no-install-recommends "${missing[@]}"
  } </dev/null >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
fi
