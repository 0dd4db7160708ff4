"""Turn questions about a path into answers: does it carry this, and who seems to ask?"""

import sys
from dataclasses import dataclass
from typing import Final, Self

from lab.namespace import LabError, Namespace, Process
from lab.pods import Pod

_SERVER: Final = """
import socket, sys
server = socket.socket(socket.AF_INET6)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("::", int(sys.argv[1])))
server.listen()
print("listening", file=sys.stderr, flush=True)
while True:
    connection, peer = server.accept()
    connection.sendall(peer[0].removeprefix("::ffff:").encode())
    connection.close()
"""
_CLIENT: Final = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3) as connection:
    print(connection.makefile().read())
"""
Place = Namespace | Pod


def serve(pod: Pod, port: int) -> Process:
    """Start a TCP server in a pod that tells every client which address it came from."""
    process = pod.host.spawn(*pod.command(sys.executable, "-ISc", _SERVER, str(port)))
    said = process.stderr.readline()
    if said != b"listening\n":
        raise LabError(f"{pod.name}: no server on port {port}: {said.decode()}")
    return process


def ask(place: Place, address: str, port: int) -> str:
    """Return the address that the server at (address, port) saw; empty when nobody answers."""
    command = (sys.executable, "-ISc", _CLIENT, address, str(port))
    return _run(place, *command).strip()


def ping(place: Place, address: str, *, size: int = 56, count: int = 1) -> bool:
    """Whether every one of some echo requests is answered; ``size`` in bytes, never fragmented."""
    command = ("ping", "-n", "-q", "-M", "do", "-i", "0.1", "-W", "2")
    said = _run(place, *command, "-c", str(count), "-s", str(size), address)
    return f"{count} packets transmitted, {count} received" in said


def ping_all(place: Place, addresses: tuple[str, ...], *, size: int = 56) -> tuple[str, ...]:
    """Return the addresses that do not answer, asking all of them at the same time."""
    script = "\n".join(
        f"(ping -n -q -M do -c 2 -i 0.2 -W 2 -s {size} {address} >/dev/null || echo {address}) &"
        for address in addresses
    )
    return tuple(_run(place, "sh", "-c", f"{script}\nwait").split())


@dataclass(frozen=True, kw_only=True)
class Lost:
    """What a stream of echo requests came to."""

    sent: int
    received: int


class Stream:
    """Echo requests, fifty a second, until the context is left."""

    def __init__(self, place: Place, address: str) -> None:
        command = ("ping", "-n", "-q", "-i", "0.02", address)
        host, argv = (
            (place.host, place.command(*command)) if isinstance(place, Pod) else (place, command)
        )
        self._process = host.spawn(*argv)
        self.lost = Lost(sent=0, received=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        said, _errors = self._process.stop()
        line = next((line for line in said.splitlines() if "packets transmitted" in line), "")
        if not line:
            raise LabError(f"ping said nothing about packets: {said}")
        words = line.split()
        self.lost = Lost(sent=int(words[0]), received=int(words[3]))


def _run(place: Place, *command: str) -> str:
    host, argv = (
        (place.host, place.command(*command)) if isinstance(place, Pod) else (place, command)
    )
    return host.run(*argv, check=False).stdout
