"""Turn one folder of CNI plugins into another, program by program, and look at what else is there.

The container runtime starts a plugin by its name in a folder (CNI specification, section 2), which
several programs share: whoever writes there must touch nothing but what it came to write.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Final

from applier.paths import Paths
from renderers.cni import read
from schemas.marks import NETWORK_NAME
from schemas.problems import Problem, Problems
from wormhole.files.folder import Folder, explain_os_errors, read_plain

NEEDED: Final = ("bridge", "host-local", "loopback", "portmap")
"""What our configuration names, and ``loopback``, which the container runtime itself starts."""

_USUAL_FILE: Final = "10-wormhole.conflist"
"""What our configuration is called unless the mesh says otherwise (``spec.cni.fileName``)."""

_READ_BY_RUNTIMES: Final = (".conf", ".conflist", ".json")
"""The extensions that containerd and CRI-O look for (``ConfFiles`` of libcni's callers)."""


class Result(StrEnum):
    """What became of one plugin."""

    WRITTEN = "written"
    SAME = "already the same"
    KEPT = "kept as found"


def choose_plugins(source: Path, names: Sequence[str], *, every: bool) -> tuple[str, ...]:
    """Return the plugins to install, sorted: the named, all that there are, or the needed ones.

    Raises:
        Problems: the folder cannot be read, or lacks one; each is named.

    """
    there = tuple(find_plugins(source))
    wanted = there if every else tuple(sorted({*names} or NEEDED))
    what = f"no executable file of this name in {source}"
    if missing := [Problem(object=name, rule=what) for name in wanted if name not in there]:
        raise Problems(missing)
    if not wanted:
        raise Problems.one("there is no executable file in this folder", file=str(source))
    return wanted


def find_plugins(source: Path) -> Iterator[str]:
    """Yield the names of a folder's plain executable files, sorted; hidden ones are none."""
    with explain_os_errors(source, "cannot read the folder"):
        for name in sorted(os.listdir(source)):  # noqa: PTH208 - names, not paths
            path = source / name
            if not name.startswith(".") and path.is_file() and os.access(path, os.X_OK):
                yield name


def install_plugins(
    source: Path, target: Path, names: Sequence[str], *, keep: bool = False
) -> Iterator[tuple[str, Result]]:
    """Copy plugins, and yield each with what became of it.

    A plugin that differs is replaced by renaming, which a running one survives. With ``keep``
    every plugin that is there stays, whatever it holds. Nothing else in the folder is touched.

    Raises:
        Problems: one cannot be read or written; those yielded before are in place.

    """
    with Folder.open(target) as folder:
        folder.remove_leftover()
        for name in names:
            if keep and folder.has_program(name):
                yield name, Result.KEPT
            elif folder.write_program(name, read_plain(source / name)):
                yield name, Result.WRITTEN
            else:
                yield name, Result.SAME


def find_rivals(configurations: Path) -> Iterator[Problem]:
    """Yield the configurations that the container runtime reads before ours: it takes the first.

    Names are compared as Go compares strings, byte by byte; what is in the files does not count.
    """
    try:
        names = sorted(os.listdir(configurations), key=os.fsencode)  # noqa: PTH208 - names, not paths
    except FileNotFoundError:
        return
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        rule = f"cannot look for other CNI configurations: {why}"
        yield Problem(file=str(configurations), rule=rule)
        return
    read_there = [name for name in names if name.endswith(_READ_BY_RUNTIMES)]
    ours = next((name for name in read_there if _is_ours(configurations / name)), _USUAL_FILE)
    rule = (
        f"the container runtime reads this before {ours}: new pods get its network, not Wormhole's;"
        " remove it once no pod needs it, or let ours come first (spec.cni.fileName of the Mesh)"
    )
    for name in read_there:
        path = configurations / name
        if os.fsencode(name) < os.fsencode(ours) and not path.is_dir():
            yield Problem(file=str(path), rule=rule)


def _is_ours(path: Path) -> bool:
    """Whether it is our link, which after a boot leads nowhere yet, or configures our network."""
    with suppress(OSError):
        if path.readlink() == Paths().configuration(path.name):
            return True
    with suppress(Problems, ValueError):
        return read(read_plain(path)).get("name") == NETWORK_NAME
    return False
