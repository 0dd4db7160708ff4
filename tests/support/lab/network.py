"""Turn a few namespaces into a network: hosts on one wire, with a router that leads outside.

Everything a host sends in clear therefore travels somewhere and is seen on the wire: the
router is every host's default gateway.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from lab.capture import Capture
from lab.namespace import LabError, Namespace

ROOT: Final = Path(__file__).resolve().parents[3]
WIRE: Final = "underlay"
ROUTER_IPV4: Final = "192.0.2.254"
ROUTER_IPV6: Final = "2001:db8::fe"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one run of ``wormhole`` said, and how it ended."""

    command: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    def __str__(self) -> str:
        said = "\n".join(part.rstrip() for part in (self.stdout, self.stderr) if part)
        return f"$ wormhole {' '.join(self.command)}\n{said}\n-> exit {self.code}"


class LabHost(Namespace):
    """A host on the wire: ``eth0`` with one address of each family and a default route."""

    def __init__(self, name: str, number: int, *, wormhole: Sequence[str] = ()) -> None:
        super().__init__(name)
        self.number = number
        self.ipv4 = f"192.0.2.{number}"
        self.ipv6 = f"2001:db8::{number:x}"
        self._wormhole = tuple(wormhole) or (sys.executable, "-m", "wormhole")
        self.environment = {
            "PYTHONPATH": os.pathsep.join((str(ROOT), *_inherited_path())),
            "NO_COLOR": "1",
        }

    def wormhole(self, *arguments: str, expect: int | None = None, timeout: float = 60) -> Outcome:
        """Run ``wormhole`` on this host; with ``expect``, insist on that exit code."""
        done = self.run(*self._wormhole, *arguments, check=False, timeout=timeout)
        outcome = Outcome(
            command=arguments, code=done.returncode, stdout=done.stdout, stderr=done.stderr
        )
        if expect is not None and outcome.code != expect:
            raise LabError(f"{self.name}: expected exit {expect}\n{outcome}")
        return outcome

    def wormhole_command(self, *arguments: str) -> tuple[str, ...]:
        """Return the argument vector of ``wormhole``, for :meth:`spawn`."""
        return (*self._wormhole, *arguments)


class Lab:
    """The wire, the router and the hosts. Leaving the context ends all of it."""

    def __init__(self, *, mtu: int = 1500, wormhole: Sequence[str] = ()) -> None:
        self.mtu = mtu
        self.hosts: dict[str, LabHost] = {}
        self.router = Namespace("router")
        self._wormhole = tuple(wormhole)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.router)
            self.router.sh(
                "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1"
                " net.ipv6.conf.default.accept_dad=0 net.ipv4.conf.all.send_redirects=0"
                " net.ipv4.conf.default.send_redirects=0"
            )
            self.router.ip(
                # No snooping: a wire carries multicast to everybody, queries or not.
                f"link add {WIRE} mtu {self.mtu} type bridge mcast_snooping 0",
                f"address add {ROUTER_IPV4}/24 dev {WIRE}",
                f"address add {ROUTER_IPV6}/64 dev {WIRE} nodad",
                f"link set {WIRE} up",
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        # The kernel takes two seconds to end a host with a tun device; all of them at once.
        for host in self.hosts.values():
            host.release()
        self._stack.close()

    def add_host(self, name: str, number: int | None = None) -> LabHost:
        """Make a host and plug it into the wire. Its number is its last address part."""
        number = len(self.hosts) + 1 if number is None else number
        host = LabHost(name, number, wormhole=self._wormhole)
        self._stack.enter_context(host)
        self.hosts[name] = host
        self._plug(host)
        return host

    def _plug(self, host: LabHost) -> None:
        port = f"port{host.number}"
        # Both ends at once, one in each namespace: nothing appears on the machine itself.
        self.router.run_outside_pids(
            *("ip", "link", "add", port, "mtu", str(self.mtu), "master", WIRE, "type", "veth"),
            *("peer", "name", "eth0", "mtu", str(self.mtu), "netns", str(host.pid)),
        )
        self.router.ip(f"link set {port} up")
        host.sh("sysctl -qw net.ipv6.conf.eth0.accept_dad=0 net.ipv6.conf.eth0.accept_ra=0")
        host.ip(
            f"address add {host.ipv4}/24 dev eth0",
            f"address add {host.ipv6}/64 dev eth0 nodad",
            "link set eth0 up",
            f"route add default via {ROUTER_IPV4}",
            f"route add ::/0 via {ROUTER_IPV6}",
        )

    def capture(self) -> Capture:
        """Record every frame on the wire while the returned context is open."""
        return Capture(self.router, WIRE)


def _inherited_path() -> tuple[str, ...]:
    given = os.environ.get("PYTHONPATH", "")
    return (given,) if given else ()
