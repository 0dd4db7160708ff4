"""Turn network namespaces into sockets that live in them, all held by this one process.

A socket stays in the namespace that it was made in (``sock_net``, ``net/core/sock.c``), so one
process can speak and listen in every namespace of a laboratory at once.
"""

import ctypes
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Self, TypeVar

from lab.namespace import LabError

_CLONE_NEWNET: Final = 0x40000000
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_SO_RCVBUFFORCE: Final = 33
_BUFFER: Final = 16 << 20
"""Bytes a socket may hold before the kernel drops what it hears: a whole volley fits."""

Result = TypeVar("Result")


class Net:
    """A network namespace, kept open by a descriptor."""

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self._descriptor = descriptor

    @classmethod
    def enter(cls, name: str, pid: int) -> Self:
        """Open the namespace of a process."""
        return cls(name, os.open(f"/proc/{pid}/ns/net", os.O_RDONLY))

    @classmethod
    def make(cls, name: str) -> Self:
        """Make one that nobody else knows; it ends with the descriptor, and so with us."""

        def unshare() -> int:
            _call(_LIBC.unshare(_CLONE_NEWNET), f"make namespace {name}")
            return os.open("/proc/thread-self/ns/net", os.O_RDONLY)

        return cls(name, _in_a_thread(unshare))

    @property
    def path(self) -> str:
        """How ``ip link … netns`` and ``nsenter --net`` find it."""
        return f"/proc/{os.getpid()}/fd/{self._descriptor}"

    def close(self) -> None:
        """Let go of it. Without devices, sockets and processes elsewhere it ends."""
        os.close(self._descriptor)

    def inside(self, action: Callable[[], Result]) -> Result:
        """Do something in it, in a thread that ends there: a thread's network is its own."""

        def enter() -> Result:
            _call(_LIBC.setns(self._descriptor, _CLONE_NEWNET), f"enter {self.name}")
            return action()

        return _in_a_thread(enter)

    def socket(self, family: int, kind: int, protocol: int) -> socket.socket:
        """Open a socket in it, one that never blocks."""
        made = self.inside(lambda: socket.socket(family, kind, protocol))
        made.setblocking(False)  # noqa: FBT003 - it has no name
        made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
        return made

    def hardware(self, device: str) -> bytes:
        """Return the hardware address of a device in it."""
        with self.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as probe:
            probe.bind((device, 0))
            address: bytes = probe.getsockname()[4]
            return address

    def set_parameters(self, values: dict[str, int]) -> None:
        """Set parameters below ``/proc/sys/net``, which shows the network of who opens it."""

        def write() -> None:
            for name, value in values.items():
                Path("/proc/sys/net", name).write_text(str(value), encoding="ascii")

        self.inside(write)


def _in_a_thread(action: Callable[[], Result]) -> Result:
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(action).result()


def _call(result: int, what: str) -> None:
    if result:
        raise LabError(f"cannot {what}: {os.strerror(ctypes.get_errno())}")
