#!/bin/sh
# install.sh STEP: all that the container image is made of
#
#   dependencies   in the build stage: /opt/wormhole, with everything but the program
#   program        in the build stage: the program, from the sources beside this file
#   packages       in the image: Debian's packages, and the program's name on the PATH
#
# deploy/Dockerfile runs these, and so does tools/build-root.sh where there is no container engine:
# the two cannot differ.
set -eu
export DEBIAN_FRONTEND=noninteractive DEBCONF_NOWARNINGS=yes PYTHONDONTWRITEBYTECODE=1
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_CACHE_DIR=1 PIP_QUIET=1
sources=$(dirname "$0")/..

add_packages() {
  apt-get update -qq
  apt-get install -qq -y --no-install-recommends "$@" >/dev/null
  apt-get clean
  rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/cache/ldconfig/* /var/log/*
}

# The environment that is shipped has no pip in it; the build's own writes into it.
install() { /opt/build/bin/pip --python /opt/wormhole/bin/python install --no-compile "$@"; }

dependencies() {
  add_packages ca-certificates python3 python3-venv
  python3 -m venv /opt/build
  python3 -m venv --without-pip /opt/wormhole
  hashed="--require-hashes --only-binary=:all: --no-compile"
  /opt/build/bin/pip install $hashed --requirement "$sources/deploy/requirements-build.txt"
  install $hashed --requirement "$sources/deploy/requirements.txt"
  compile
}

program() {
  /opt/build/bin/pip wheel --no-deps --no-index --no-build-isolation --wheel-dir /opt/wheel "$sources"
  install --no-deps --no-index /opt/wheel/*.whl
  compile
}

# Bytecode is read without a look at the source, whose times differ from image to image. Of the
# Kubernetes client we use the connection; the thousands of classes for its objects stay uncompiled.
compile() {
  /opt/wormhole/bin/python -m compileall -q --invalidation-mode unchecked-hash \
    -x '/kubernetes/(aio|client/(api|models))/' /opt/wormhole/lib
}

packages() {
  # iptables brings both variants; wireguard-tools is for people who look into a pod.
  add_packages containernetworking-plugins iptables kmod python3 wireguard-go wireguard-tools
  ln -s /opt/wormhole/bin/wormhole /usr/local/bin/wormhole
}

"$1"
