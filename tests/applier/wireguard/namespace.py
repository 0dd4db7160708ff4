"""Take this very process into a network and a mount namespace of its own, and back."""

import contextlib
import ctypes
import functools
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

_CLONE_NEWNS = 0x00020000
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def own_namespaces() -> Iterator[None]:
    """Enter new namespaces with an empty ``/run``; end what still runs in them, and come back.

    The process must have no other threads that matter: namespaces are a thread's.
    """
    folder = Path.cwd()
    with contextlib.ExitStack() as stack:
        before = {}
        for kind in ("net", "mnt"):
            before[kind] = os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, before[kind])
        call("unshare", _CLONE_NEWNET | _CLONE_NEWNS)
        try:
            subprocess.run(["mount", "--make-rprivate", "/"], check=True)
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
            yield
        finally:
            end_processes()
            call("setns", before["mnt"], 0)
            call("setns", before["net"], 0)
            os.chdir(folder)


@contextlib.contextmanager
def inside_network(name: str) -> Iterator[None]:
    """Enter a network namespace that ``ip netns`` made, and come back."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    inside = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    call("setns", inside, 0)
    try:
        yield
    finally:
        call("setns", before, 0)
        os.close(inside)
        os.close(before)


def end_processes() -> None:
    """Kill what was started in the background here, and in networks made here."""
    for name in (None, *(path.name for path in Path("/run/netns").glob("*"))):
        with inside_network(name) if name else contextlib.nullcontext():
            for pid in processes_here("wireguard-go"):
                os.kill(pid, signal.SIGKILL)


def call(name: str, *arguments: int) -> None:
    """Call a function of the C library; Python has these two from 3.12 on."""
    if getattr(_libc, name)(*arguments):
        raise OSError(ctypes.get_errno(), name)


def processes_here(name: str) -> list[int]:
    """Return the processes of a name whose network namespace is ours."""
    ours = Path("/proc/thread-self/ns/net").stat().st_ino
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):  # they come and go
            here = entry.name.isdigit() and (entry / "ns/net").stat().st_ino == ours
            if here and (entry / "comm").read_text().strip() == name:
                found.append(int(entry.name))
    return found


@functools.cache
def why_not(program: str = "") -> str:
    """Return what is missing to do this here; empty when nothing is."""
    if os.geteuid() != 0:
        return "not root"
    if program and not shutil.which(program):
        return f"no {program}"
    if program and not Path("/dev/net/tun").exists():
        return "no /dev/net/tun"
    tried = subprocess.run(
        ["unshare", "--net", "--mount", "true"], capture_output=True, text=True, check=False
    )
    return f"no namespaces: {tried.stderr.strip()}" if tried.returncode else ""
