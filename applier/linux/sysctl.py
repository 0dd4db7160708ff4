"""Kernel parameters, by name, from the files that the kernel shows them as."""

import errno
import os
from pathlib import Path
from typing import Final

from applier.errors import HostError, Missing, Unobservable
from applier.linux.writes import write

_PROC_SYS: Final = "/proc/sys"
_ELSEWHERE: Final = "WORMHOLE_PROC_SYS"
"""Names the folder to use instead.

A container that is not privileged has ``/proc/sys`` read-only, and runtimes refuse to mount
anything there (runc, ``checkProcMount``), so the host's own has to be mounted at another place.
"""


class Sysctls:
    """The doors to kernel parameters."""

    def read_sysctl(self, key: str) -> str:
        """Return a parameter's value without the line's end. Raises Missing, Unobservable."""
        try:
            return sysctl_path(key).read_text("ascii").rstrip("\n")
        except FileNotFoundError as error:
            raise Missing("read sysctl", key, os.strerror(errno.ENOENT), errno.ENOENT) from error
        except OSError as error:
            raise Unobservable("read sysctl", key, _reason(error), error.errno or 0) from error
        except ValueError as error:
            raise Unobservable("read sysctl", key, str(error), errno.EINVAL) from error

    def write_sysctl(self, key: str, value: str) -> None:
        """Write one value, in one ``write(2)``. Raises :class:`Missing`."""
        operation = f"write sysctl {value!r} to"
        with write(operation, key):
            try:
                _write_once(sysctl_path(key), f"{value}\n".encode())
            except FileNotFoundError as error:
                raise Missing(operation, key, _reason(error), errno.ENOENT) from error
            except OSError as error:
                raise HostError(operation, key, _reason(error), error.errno or 0) from error
            except ValueError as error:
                raise HostError(operation, key, str(error), errno.EINVAL) from error


def sysctl_path(key: str) -> Path:
    """Return the file of a parameter.

    As ``sysctl(8)`` reads names: the first separator tells which of ``.`` and ``/`` separates,
    and the other one stands for a dot in an interface's name (``net.ipv4.conf.eth0/100.mtu`` is
    that of ``eth0.100``). Raises ``ValueError`` for a name that would lead elsewhere.
    """
    first = next((character for character in key if character in "./"), "")
    parts = key.split("/") if first == "/" else key.translate(_SWAPPED).split("/")
    if not all(parts) or {".", ".."} & set(parts) or "\0" in key:
        raise ValueError(f"{key!r} is no name of a kernel parameter")
    return Path(os.environ.get(_ELSEWHERE) or _PROC_SYS, *parts)


_SWAPPED: Final = str.maketrans("./", "/.")


def _write_once(path: Path, content: bytes) -> None:
    """Write without ``O_CREAT``: a parameter that is not there must not be made."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
