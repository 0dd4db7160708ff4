"""Turn a folder with a kustomization into the objects that kubectl, or kustomize, makes of it."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

_OLDEST: Final = (1, 21)
"""The first kubectl with a kustomize (4.0.5) that knows components; Debian 12 has 1.20."""


@cache
def why_not() -> str:
    """Return why nothing can be built here; empty when something can."""
    if not shutil.which("kubectl"):
        return "" if shutil.which("kustomize") else "no kubectl or kustomize here"
    found = _version(_run("kubectl", "version", "--client", "--output=json").stdout)
    if found < _OLDEST:
        return f"kubectl is {found[0]}.{found[1]} here, components need {_OLDEST[0]}.{_OLDEST[1]}"
    return ""


def kustomize(folder: Path) -> list[dict[str, Any]]:
    """Return the objects of a folder; whatever is said beside them is a fault."""
    build = ("kubectl", "kustomize") if shutil.which("kubectl") else ("kustomize", "build")
    done = _run(*build, str(folder))
    assert (done.returncode, done.stderr) == (0, "")
    return [found for found in yaml.safe_load_all(done.stdout) if found]


def _version(said: str) -> tuple[int, int]:
    client = json.loads(said)["clientVersion"]
    # A provider's build says `32+`.
    return int(client["major"]), int(client["minor"].rstrip("+"))


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)
