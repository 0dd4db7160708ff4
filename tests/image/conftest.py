"""The file system of the container image, built as deploy/Dockerfile builds it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CANNOT = 125
"""What build-root.sh ends with where it cannot build."""


@pytest.fixture(scope="session")
def image() -> Path:
    """Return the image's root; skip, with the reason, where it cannot be built."""
    done = subprocess.run(
        [ROOT / "tools/build-root.sh"],
        env={**os.environ, "PYTHON": sys.executable},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode == CANNOT:
        pytest.skip(done.stdout.splitlines()[-1])
    assert done.returncode == 0, done.stdout
    return ROOT / ".cache/root/image"
