#!/usr/bin/env bash
# build-root.sh [DIRECTORY]
#
# Builds the container image's file system without a container engine, in DIRECTORY/image
# (.cache/root unless told otherwise). The base is made by debootstrap, from the mirror that this
# machine's apt uses; all else by deploy/install.sh, as deploy/Dockerfile does it.
#
# Each stage is kept and used again while nothing it is made of has changed. From nothing it takes
# about two minutes on two processors, after a change of the program about fifteen seconds; 900 MB.
#
# Ends with 125 and a reason where it cannot be built: not root, no debootstrap, no network.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin

give_up() {
  echo "build-root: $*" >&2
  exit 125
}

cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || give_up "not root"
for tool in apt-get chroot debootstrap flock unshare; do
  command -v "$tool" >/dev/null || give_up "$tool is missing; tools/install-system.sh image installs it"
done
unshare --mount true 2>/dev/null || give_up "no right to mount here"
directory=${1:-.cache/root}
mkdir -p "$directory"
directory=$(realpath "$directory")
exec 9>"$directory/.lock"
flock 9 # two that build at once would be in each other's way

# ---- stages, each with the digest of what it was made of ---------------------------------------
digest_of() { cat "$@" | sha256sum | cut -d ' ' -f 1; }

# .dockerignore refuses everything, and then lets in by name what the image is built from.
list_sources() {
  sed -n 's/^!//p' .dockerignore | while read -r path; do
    find "$path" -name __pycache__ -prune -o -type f -print
  done | LC_ALL=C sort
}

fresh() { # STAGE DIGEST: whether it is there and still good; if not, what is there goes
  [ "$(cat "$directory/$1.digest" 2>/dev/null)" != "$2" ] || return 0
  rm -rf "${directory:?}/$1.digest" "${directory:?}/$1"
  return 1
}
done_with() { echo "$2" >"$directory/$1.digest"; }

# ---- how to reach what it is made of -----------------------------------------------------------
suite=$(sed -n 's/^ARG BASE=debian:\([a-z]*\)-.*/\1/p' deploy/Dockerfile)
targets=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' \
  'Created-By: Packages' 'Component: main' 'Origin: Debian' 2>/dev/null |
  sort -u | sed -nE "/ $suite(-updates|-security)?$/p")
mirror=$(sed -n "s,/* $suite$,,p" <<<"$targets" | head -n 1)
[ -n "$mirror" ] || give_up "apt knows no mirror of Debian $suite here (apt-get update?)"

reach_mirror() { # apt's own downloader knows its proxies
  local copy ended=0
  copy=$(mktemp -u)
  timeout 60 /usr/lib/apt/apt-helper download-file "$mirror/dists/$suite/InRelease" "$copy" \
    >/dev/null 2>&1 || ended=$?
  rm -f "$copy"
  [ "$ended" -eq 0 ] || give_up "no network: Debian's mirror does not answer"
}

make_base() {
  local root=$directory/base
  reach_mirror
  debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$directory/debootstrap.log" 2>&1 ||
    { tail -n 5 "$directory/debootstrap.log" >&2 && exit 1; }
  # As in Debian's own slim images: no documents, but the licences.
  printf '%s\n' path-exclude=/usr/share/{doc,info,lintian,linda,locale,man}/'*' \
    path-include=/usr/share/doc/*/copyright >"$root/etc/dpkg/dpkg.cfg.d/slim"
  rm -rf "$root"/usr/share/{info,lintian,linda,locale,man}/* "$root"/var/lib/apt/lists/* \
    "$root"/var/cache/apt/archives/*.deb "$root"/var/log/*
  find "$root/usr/share/doc" -type f ! -name copyright -delete
  sed 's/^\(.*\) \(.*\)$/deb \1 \2 main/' <<<"$targets" >"$root/etc/apt/sources.list"
  : >"$root/etc/resolv.conf"
  : >"$root/etc/apt/apt.conf.d/99machine"
}

fetch_wheels() { # outside, where pip knows its way to the index
  local requirements glibc platforms=() log=$directory/wheels.log
  for glibc in manylinux_2_{36,34,28,17} manylinux2014; do
    platforms+=("--platform=${glibc}_$(uname -m)")
  done
  for requirements in deploy/requirements.txt deploy/requirements-build.txt; do
    "${PYTHON:-python3}" -m pip --quiet --disable-pip-version-check download --no-deps \
      --require-hashes --requirement "$requirements" --dest "$directory/wheels" \
      --only-binary=:all: --python-version=3.11 --implementation=cp "${platforms[@]}" \
      >"$log" 2>&1 && continue
    cat "$log" >&2
    ! grep -q -e 'HASH' -e 'No matching distribution' "$log" || exit 1
    give_up "no network: the index of Python packages does not answer"
  done
}

# ---- the steps of the Dockerfile ---------------------------------------------------------------
# Each runs with mounts of its own, which end with it. /source is what it may read, and the machine
# lends how it reaches the network; wheels are there already.
run_step() { # ROOT SOURCE STEP [FOLDER]: what is written goes; but to ROOT, or FOLDER to the image
  unshare --mount --pid --fork --kill-child bash -euc '
    directory=$1 root=$2 source=$3 step=$4 kept=${5:-}
    if [ -n "$kept" ]; then
      mount -t tmpfs tmpfs /mnt
      mkdir /mnt/upper /mnt/work /mnt/root
      mount -t overlay -o "lowerdir=$root,upperdir=/mnt/upper,workdir=/mnt/work" overlay /mnt/root
      root=/mnt/root
    fi
    mkdir -p "$root/source" "$root/wheels"
    mount --bind "$source" "$root/source"
    mount --bind "$directory/wheels" "$root/wheels"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
    mount --bind "$directory/apt.conf" "$root/etc/apt/apt.conf.d/99machine"
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels \
      chroot "$root" /source/deploy/install.sh "$step"
    umount "$root/wheels" "$root/source"
    rmdir "$root/wheels" "$root/source"
    [ -z "$kept" ] || cp -a "$root/$kept" "$directory/image/$kept"
  ' - "$directory" "$@" </dev/null
}

copy_sources() { # of everything, or of what begins so
  rm -rf "$directory/source"
  mkdir "$directory/source"
  list_sources | grep "^${1:-}" | xargs -d '\n' cp --parents -t "$directory/source"
}

base=$(digest_of <(echo "$targets") tools/build-root.sh)
wheels=$(digest_of deploy/requirements*.txt)
build=$(digest_of <(echo "$base $wheels") deploy/install.sh)
packages=$(digest_of <(echo "$base") deploy/install.sh)
image=$(digest_of <(echo "$build $packages"; list_sources) deploy/Dockerfile \
  <(list_sources | xargs -d '\n' cat))
! fresh image "$image" || exit 0

echo "building the image's file system in $directory/image" >&2
apt-config dump --format '%F "%v";%n' Acquire >"$directory/apt.conf" # proxies, clocks that are off
if ! fresh base "$base"; then
  make_base
  done_with base "$base"
fi
if ! fresh wheels "$wheels"; then
  fetch_wheels
  done_with wheels "$wheels"
fi
copy_sources deploy/
if ! fresh packages "$packages"; then
  cp -a "$directory/base" "$directory/packages"
  run_step "$directory/packages" "$directory/source" packages
  done_with packages "$packages"
fi
if ! fresh build "$build"; then
  cp -a "$directory/base" "$directory/build"
  run_step "$directory/build" "$directory/source" dependencies
  done_with build "$build"
fi
copy_sources
cp -a "$directory/packages" "$directory/image"
run_step "$directory/build" "$directory/source" program opt/wormhole
done_with image "$image"
rm -rf "$directory/source"
(cd "$directory" && du -sm base packages image) | awk '{ print "build-root:", $2, $1, "MB" }' >&2
