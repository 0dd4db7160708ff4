"""What keeps a machine from having a laboratory is told before anything is tried in one."""

import subprocess
import sys
from pathlib import Path

import lab.requirements
import pytest

pytestmark = pytest.mark.kernel

_OTHER_ROOT = """
mount -t tmpfs tmpfs /mnt
mkdir /mnt/mnt
for each in /*; do
  if [ -L "$each" ]; then cp -P "$each" /mnt/; elif [ -d "$each" ] && [ "$each" != /mnt ]; then
    mkdir "/mnt$each" && mount --rbind "$each" "/mnt$each"
  fi
done
exec chroot /mnt "$@"
"""
"""A chroot with everything that the machine has, on a root of its own."""


def list_missing(*around: str) -> str:
    support = Path(lab.requirements.__file__).parents[1]
    asked = f"import sys; sys.path.insert(0, {str(support)!r})\n"
    asked += "from lab.requirements import missing; print(*missing(), sep='\\n')"
    done = subprocess.run(
        [*around, sys.executable, "-c", asked],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


@pytest.mark.usefixtures("laboratory")
def test_in_a_chroot_there_is_none_since_its_namespaces_lead_out_of_it() -> None:
    chroot = ("unshare", "--mount", "sh", "-euc", _OTHER_ROOT, "-")
    assert list_missing(*chroot) == (
        "a chroot, which whoever enters a namespace leaves (a container or a machine will do)"
    )
    assert list_missing() == ""
