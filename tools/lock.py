"""Turn the dependencies in pyproject.toml into the image's lock files, pinned by hash.

``pip install --dry-run --report`` resolves; each wheel's hash is what the index says. pip judges
environment markers by the Python that runs it, so this has to run on the image's own version.
"""

import json
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
PYTHON: Final = (3, 11)
"""What Debian 12 has, and so the image."""

GLIBC: Final = ("manylinux_2_36", "manylinux_2_34", "manylinux_2_28", "manylinux_2_17")
"""Wheels for these run on Debian 12, which has glibc 2.36."""

ARCHITECTURES: Final = ("x86_64", "aarch64")
HEADER: Final = "# Made by `make lock` from pyproject.toml; not to be edited.\n"

Report = dict[str, Any]
"""What pip says (its documentation, "Installation Report"), as far as it is read here."""

Pins = dict[tuple[str, str], set[str]]
"""By name and version, the hashes of the wheels for each architecture."""


def main() -> int:
    """Write both files."""
    if sys.version_info[:2] != PYTHON:
        print("lock: run it with Python 3.11, as in the image: make lock PYTHON=python3.11")
        return 1
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for name, wanted in (
        ("requirements.txt", project["project"]["dependencies"]),
        ("requirements-build.txt", project["build-system"]["requires"]),
    ):
        (ROOT / "deploy" / name).write_text(HEADER + "".join(spell(resolve(wanted))))
    return 0


def resolve(wanted: Sequence[str]) -> Pins:
    """Find the newest versions that go together, for every architecture."""
    pins: Pins = defaultdict(set)
    for architecture in ARCHITECTURES:
        for wheel in ask_pip(wanted, architecture)["install"]:
            name, version = wheel["metadata"]["name"], wheel["metadata"]["version"]
            hashes = wheel["download_info"]["archive_info"]["hashes"]
            pins[name.lower().replace("_", "-"), version].add(hashes["sha256"])
    return pins


def ask_pip(wanted: Sequence[str], architecture: str) -> Report:
    """Return pip's report of what it would install."""
    platforms = [f"--platform={glibc}_{architecture}" for glibc in GLIBC]
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--dry-run", "--ignore-installed", "--report=-", "--only-binary=:all:"),
        *("--python-version=3.11", "--implementation=cp", "--target=unused", *platforms, *wanted),
    ]
    said = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    report: Report = json.loads(said)
    return report


def spell(pins: Pins) -> Iterator[str]:
    """Write requirements as pip reads them."""
    for (name, version), hashes in sorted(pins.items()):
        yield " \\\n".join(
            (f"{name}=={version}", *(f"    --hash=sha256:{one}" for one in sorted(hashes)))
        )
        yield "\n"


if __name__ == "__main__":
    sys.exit(main())
