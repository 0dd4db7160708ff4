#!/usr/bin/env bash
# install-system.sh [GROUP...]   installs what is missing on a Debian or Ubuntu machine
#
#   base  what make and the Python environment need
#   lab   what `make demo` and the tests in network namespaces need
#   vm    what the tests in a virtual machine need
#   image what the tests of the container image's file system need
#   browser what the tests in a browser, on paper and with graphviz need
#   ci    what the tests of deploy/ci need
#   api   what the tests with a real Kubernetes API server need, besides that server itself
#
# Without arguments all groups. Not root, no apt-get, no network: says what is missing and goes on;
# whoever needs it will say so again. Nothing that is already there is touched.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

has() { command -v "$1" >/dev/null; }

# One line each: group, package, and a command that succeeds when there is nothing to install.
# Of packages with a bar between them the first that this release has.
wanted() {
  cat <<'TABLE'
api etcd-server has etcd || test -x "${KUBEBUILDER_ASSETS:-/dev/null}/etcd"
api openssl has openssl
api util-linux has setpriv
base ca-certificates test -d /etc/ssl/certs
base git has git
base make has make
base python3 has "${PYTHON:-python3}"
base python3-venv "${PYTHON:-python3}" -c 'import ensurepip, venv'
browser chromium has chromium
browser chromium-driver has chromedriver
browser fonts-dejavu-core test -d /usr/share/fonts/truetype/dejavu
browser graphviz has dot
browser poppler-utils has pdftotext
lab containernetworking-plugins test -x /usr/lib/cni/bridge -o -x /opt/cni/bin/bridge
lab iproute2 has ip
lab iptables has iptables-nft && has iptables-legacy
lab iputils-ping has ping
lab kmod has modprobe
lab nftables has nft
lab procps has sysctl && has ps
lab tcpdump has tcpdump
lab util-linux has nsenter && has setpriv
lab wireguard-go has wireguard-go
lab wireguard-tools has wg
ci jq has jq
image debian-archive-keyring test -e /usr/share/keyrings/debian-archive-keyring.gpg
image debootstrap has debootstrap
vm busybox-static has busybox
vm cpio has cpio
vm qemu-system-x86 has qemu-system-x86_64
vm virtiofsd|qemu-system-common test -x /usr/libexec/virtiofsd -o -x /usr/lib/qemu/virtiofsd
TABLE
}

mapfile -t groups < <(wanted | cut -d " " -f 1 | sort -u)
for group in "$@"; do
  [[ " ${groups[*]} " == *" $group "* ]] ||
    { echo "install-system: no group \"$group\"; there are ${groups[*]}" >&2 && exit 2; }
done
missing=()
while read -r group package probe; do
  [[ " ${*:-${groups[*]}} " == *" $group "* ]] || continue
  eval "$probe" >/dev/null 2>&1 || missing+=("$package")
done < <(wanted)

[ ${#missing[@]} -gt 0 ] || exit 0
if ! has apt-get; then
  echo "missing here: ${missing[*]} (names as in Debian; no apt-get to install them with)"
  exit 0
elif [ "$(id -u)" -ne 0 ]; then
  echo "missing here: ${missing[*]} (as root: tools/install-system.sh${*:+ $*})"
  exit 0
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
exec </dev/null
export DEBIAN_FRONTEND=noninteractive
install() { # a machine that has just been started may be upgrading itself
  apt-get install -qq -y --no-install-recommends -o DPkg::Lock::Timeout=120 "$@" >"$log" 2>&1
}
say_why_not() { # the first error is the cause
  echo "could not be installed: $* ($(grep -m 1 '^E: ' "$log" || tail -n 1 "$log"))"
}
choose() { # the first of several packages that apt knows
  local package
  for package in ${1//|/ }; do
    ! apt-cache show "$package" >/dev/null 2>&1 || { echo "$package" && return; }
  done
  return 1
}

apt-get update -qq >"$log" 2>&1 || true
packages=()
unknown=()
# Ubuntu has the browser's names, but no packages: whoever installs what provides them gets snapd.
for each in "${missing[@]}"; do
  if package=$(choose "$each"); then packages+=("$package"); else unknown+=("${each%%|*}"); fi
done
[ ${#unknown[@]} -eq 0 ] || echo "apt knows no package of this name: ${unknown[*]}"
[ ${#packages[@]} -gt 0 ] || exit 0
echo "installing: ${packages[*]}"
# All at once is quick; one by one, a package that cannot be had keeps no other away. Where nothing
# can be fetched each would only wait for the same answer.
if install "${packages[@]}"; then
  exit 0
elif grep -q '^E: Failed to fetch' "$log"; then
  say_why_not "${packages[@]}"
else
  for package in "${packages[@]}"; do install "$package" || say_why_not "$package"; done
fi
