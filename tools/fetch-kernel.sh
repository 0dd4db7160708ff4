#!/usr/bin/env bash
# fetch-kernel.sh [DIRECTORY]
#
# Unpacks Debian's current cloud kernel, which has the WireGuard module, for run-in-vm.sh: about
# 26 MB to download, 106 MB unpacked, in .cache/kernel unless told otherwise. Does nothing when
# that kernel is there already. Says so, and succeeds, where it cannot be had: the tests that
# need it then say why they skip.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

directory=${1:-.cache/kernel}

give_up() {
  echo "no kernel for the virtual machine: $*"
  exit 0
}

if [ -s "$directory/.complete" ]; then
  exit 0
fi
[ "$(uname -m)" = x86_64 ] || give_up "only x86-64 has been tried, this is $(uname -m)"
for tool in apt-get apt-cache dpkg; do
  command -v "$tool" >/dev/null || give_up "$tool is not here"
done
package=$(apt-cache depends --important linux-image-cloud-amd64 2>/dev/null |
  sed -n 's/^ *Depends: \(linux-image-[0-9].*\)$/\1/p' | head -n 1)
[ -n "$package" ] || give_up "apt knows no linux-image-cloud-amd64 (a package of Debian)"

mkdir -p "$directory"
directory=$(realpath -- "$directory")
download=$(mktemp -d)
trap 'rm -rf "$download"' EXIT
chmod 755 "$download" # apt drops root's rights to download
echo "fetching $package for the virtual machine"
(cd "$download" && apt-get -qq download "$package" >log 2>&1) ||
  give_up "apt-get download $package failed: $(tail -n 1 "$download/log")"
rm -rf "$directory"
mkdir -p "$directory"
dpkg -x "$download"/*.deb "$directory"
version=${package#linux-image-}
if command -v depmod >/dev/null; then
  depmod -b "$directory" "$version"
else
  busybox depmod -b "$directory" "$version"
fi
echo "$package" >"$directory/.complete"
