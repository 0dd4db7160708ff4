"""A state that cuts an operator off, his session, and what becomes of both."""

import json
import shutil
import time
from itertools import pairwise
from pathlib import Path
from typing import Final

from lab.mesh import Mesh
from lab.network import LabHost
from lab.waiting import wait_until

_SERVE: Final = """
import socket
with socket.create_server(("::", 2222), family=socket.AF_INET6, dualstack_ipv6=True) as server:
    connection, _ = server.accept()
    while data := connection.recv(1):
        connection.sendall(data)
"""
_ASK: Final = """
import socket, sys, time
with socket.create_connection((sys.argv[1], 2222), timeout=60) as connection:
    while True:
        connection.sendall(b".")
        connection.recv(1)
        print(time.monotonic(), flush=True)
        time.sleep(0.05)
"""
_SLOW: Final = """#!/bin/sh
# Does its work, and then does not come back: once, for the one who is to be killed meanwhile.
input=$(cat; echo .)
printf %s "${{input%.}}" | {restore} "$@"
code=$?
mkdir {folder}/once 2>/dev/null && {{ touch {folder}/reached; sleep 60; }}
exit $code
"""


def compile_cut(mesh: Mesh, host: LabHost, operator: LabHost, *, comment: str = "a slip") -> Path:
    """Return a copy of the compiled state in which a host drops all that an operator sends."""
    state = mesh.folder / "cut"
    shutil.copytree(mesh.state, state, dirs_exist_ok=True)
    path = state / "hosts" / f"{host.name}.json"
    document = json.loads(path.read_text())
    for family, source in (("ipv4", f"{operator.ipv4}/32"), ("ipv6", f"{operator.ipv6}/128")):
        for chain in document["firewall"][family]:
            if chain["name"] == "antispoof":
                rule = {"comment": comment, "source": source, "verdict": "drop"}
                chain["rules"].insert(0, rule)
    path.write_text(json.dumps(document))
    return state


class Session:
    """A TCP session of an operator on a host, with a keystroke twenty times a second."""

    def __init__(self, operator: LabHost, host: LabHost, address: str, log: Path) -> None:
        self._log = log
        self._server = host.spawn("python3", "-c", _SERVE)
        wait_until(lambda: "" if _listens(host) else "nobody listens", 10)
        with log.open("wb") as output:
            self._client = operator.spawn("python3", "-uc", _ASK, address, output=output)
        wait_until(lambda: "" if self._moments() else "no session", 10)

    def end(self) -> float:
        """Wait until it goes on, as TCP repeats ever more slowly; return its longest silence."""
        since = time.monotonic()
        wait_until(lambda: "" if self._moments()[-1] > since else "the session is dead", 20)
        self._client.stop()
        self._server.stop()
        moments = self._moments()
        return max(later - one for one, later in pairwise(moments))

    def _moments(self) -> list[float]:
        return [float(line) for line in self._log.read_text().splitlines(keepends=True)[:-1]]


def _listens(host: LabHost) -> bool:
    return ":2222" in host.sh("ss -ltnH")


def slow_down(host: LabHost) -> Path:
    """Let the host's next change of its firewall take a minute; return what exists once it began.

    Only for processes with the environment variable ``PATH`` that this gives the host.
    """
    folder = "/var/lib/slow"
    variant = "iptables-nft-restore"
    restore = host.sh(f"command -v {variant}").strip()
    script = _SLOW.format(restore=restore, folder=folder)
    host.run("sh", "-euc", f"mkdir -p {folder}; cat >{folder}/{variant}", stdin=script)
    host.run("chmod", "755", f"{folder}/{variant}")
    host.environment["PATH"] = f"{folder}:/usr/sbin:/usr/bin:/sbin:/bin"
    return Path(folder, "reached")


def await_file(host: LabHost, path: Path) -> None:
    """Wait until a file is there."""
    wait_until(
        lambda: "" if host.run("test", "-e", str(path), check=False).returncode == 0 else "no", 20
    )


def watchdogs(host: LabHost) -> int:
    """Return how many watchdogs live on a host: who holds their lock."""
    held = host.run(
        *("flock", "--shared", "--nonblock", "/run/wormhole/watchdog.lock", "true"), check=False
    )
    return 1 if held.returncode else 0
