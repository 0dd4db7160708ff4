"""Turn questions about a path into answers: does it carry this, and who seems to ask?"""

import re
import sys
import time
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
_UNDER_WAY: Final = 10
"""Unanswered requests at the end of a stream that need not be lost: a fifth of a second."""
Place = Namespace | Pod


def serve(place: Place, port: int) -> Process:
    """Start a TCP server that tells every client which address it came from."""
    host, argv = _locate(place, (sys.executable, "-ISc", _SERVER, str(port)))
    process = host.spawn(*argv)
    said = process.stderr.readline()
    if said != b"listening\n":
        raise LabError(f"{place.name}: no server on port {port}: {said.decode()}")
    return process


def ask(place: Place, address: str, port: int) -> str:
    """Return the address that the server at (address, port) saw; empty when nobody answers."""
    command = (sys.executable, "-ISc", _CLIENT, address, str(port))
    return _run(place, *command).strip()


def ping(
    place: Place, address: str, *, count: int = 1, source: str = "", patience: float = 2
) -> bool:
    """Whether every one of some echo requests is answered; ``patience`` is in seconds."""
    command = ("ping", "-n", "-q", "-i", "0.1", "-W", str(patience), "-c", str(count))
    said = _run(place, *command, *(("-I", source) if source else ()), address)
    return f"{count} packets transmitted, {count} received" in said


def ping_all(
    place: Place, addresses: tuple[str, ...], *, size: int = 56, patience: float = 2
) -> tuple[str, ...]:
    """Return the addresses that do not answer, asking all of them at the same time.

    Requests carry ``size`` bytes and are never fragmented, neither here nor on the way;
    ``patience`` is in seconds.
    """
    ping = f"ping -n -q -M do -c 2 -i 0.2 -W {patience} -s {size}"
    script = "\n".join(
        f"({ping} {address} >/dev/null || echo {address}) &" for address in addresses
    )
    silent = _run(place, "sh", "-c", f"{script}\nwait").split()
    return tuple(address for address in addresses if address in silent)


class Stream:
    """Echo requests, fifty a second, until the context is left."""

    def __init__(self, place: Place, address: str) -> None:
        host, argv = _locate(place, ("ping", "-n", "-i", "0.02", address))
        self._address = address
        self._process = host.spawn(*argv)
        self.sent = 0
        """How many requests were answered or lost; what was still under way is not counted."""
        self.lost = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        said, errors = self._process.stop()
        answered = {int(number) for number in re.findall(r"icmp_seq=(\d+) ttl=", said)}
        if not answered:
            raise LabError(f"nothing came back from {self._address}: {said}{errors}")
        asked = int(said.partition(" packets transmitted")[0].split()[-1])
        last = max(answered)
        # What the host itself refused to send (no route, no key) ping does not number.
        refused = errors.count("ping: send")
        self.sent = refused + (last if asked - last <= _UNDER_WAY else asked)
        self.lost = self.sent - len(answered)


def _locate(place: Place, command: tuple[str, ...]) -> tuple[Namespace, tuple[str, ...]]:
    return (place.host, place.command(*command)) if isinstance(place, Pod) else (place, command)


def _run(place: Place, *command: str) -> str:
    host, argv = _locate(place, command)
    return host.run(*argv, check=False).stdout


def answers_within(seconds: float, place: Place, address: str) -> bool:
    """Whether an echo request is answered in time: a handshake that was lost is tried again."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if "1 received" in _run(place, "ping", "-n", "-q", "-c", "1", "-W", "0.5", address):
            return True
    return False
