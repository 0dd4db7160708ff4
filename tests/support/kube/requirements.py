"""Turn this machine into the programs of a Kubernetes control plane, or into what is missing."""

import os
import shutil
from pathlib import Path
from typing import Final

ASSETS: Final = "KUBEBUILDER_ASSETS"
"""Names the folder with ``kube-apiserver`` and ``etcd``, as for controller-runtime's envtest."""


def find_apiserver() -> str | None:
    """Return the path of kube-apiserver, which no distribution packages."""
    return shutil.which("kube-apiserver", path=_assets())


def find_etcd() -> str | None:
    """Return the path of etcd: beside kube-apiserver, or else the system's."""
    return shutil.which("etcd", path=_assets()) or shutil.which("etcd")


def missing() -> tuple[str, ...]:
    """Return why there can be no API server here, a reason each; empty when there can."""
    reasons = []
    if find_apiserver() is None:
        named = os.environ.get(ASSETS)
        where = f"{ASSETS}={named} has no kube-apiserver" if named else f"{ASSETS} is not set"
        reasons.append(where)
    if find_etcd() is None:
        reasons.append("no etcd (package etcd-server)")
    reasons += [
        f"no {program} (package {package})"
        for program, package in (("setpriv", "util-linux"), ("openssl", "openssl"))
        if shutil.which(program) is None
    ]
    return tuple(reasons)


def _assets() -> str:
    folder = os.environ.get(ASSETS, "")
    return str(Path(folder).absolute()) if folder else os.devnull
