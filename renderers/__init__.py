"""One host's state to native text, and back. No input, no output, no decisions about the network.

Each module is one target; none knows another. A target that cannot express what is asked raises
:class:`~schemas.problems.Problems`; none ever writes less.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from msgspec.structs import replace

from renderers import cni, ip, iptables, sysctls, wireguard
from schemas.problems import Problem, Problems
from schemas.resolve import resolve
from schemas.state import HostState, MeshState, ResolvedHost
from schemas.values import NodeName

Files = dict[str, str]
"""File name to text, in the order in which they are loaded."""

RENDERERS: Final[tuple[Callable[[HostState], Files], ...]] = (
    ip.render,
    sysctls.render,
    iptables.render,
    cni.render,
)
"""Every target that needs nothing but the host's own document. WireGuard needs the peers too."""


def render_host(resolved: ResolvedHost) -> Files:
    """Return every native file of one host.

    Raises:
        Problems: a target cannot express the state, or two files have one name.

    """
    return _render(resolved.host, [_write_peers(resolved).text])


class MeshRenderer:
    """Renders many hosts of one mesh: ``render(host)`` is ``render_host(resolve(mesh, host))``.

    A million stanzas of a thousand hosts are a thousand texts. They are kept for each combination
    of what a host may choose about its peers: the groups it joins and its keepalive.
    """

    def __init__(self, mesh: MeshState) -> None:
        self._mesh = mesh
        self._peers: dict[tuple[object, ...], _Peers] = {}

    def render(self, host: HostState) -> Files:
        """Return every native file of one host. Raises as ``resolve`` and ``render_host`` do."""
        return _render(host, self._peers_for(host).without(host.name))

    def _peers_for(self, host: HostState) -> "_Peers":
        choice = (host.mesh, host.wireguard.peer_groups, host.wireguard.persistent_keepalive)
        if choice not in self._peers:
            try:
                self._peers[choice] = _write_peers(resolve(self._mesh, _nobody_like(host)))
            except Problems:
                return _write_peers(resolve(self._mesh, host))  # raises again, naming the host
        return self._peers[choice]


class _Peers(NamedTuple):
    """The stanzas of many peers as one text, and where each stands in it."""

    text: str
    places: dict[NodeName, slice]

    def without(self, name: NodeName) -> tuple[str, str]:
        """Return the text before and behind one peer; all of it behind a peer that is not there."""
        place = self.places.get(name, slice(0, 0))
        return self.text[: place.start], self.text[place.stop :]


def _write_peers(resolved: ResolvedHost) -> _Peers:
    stanzas, places, end = [], {}, 0
    for name, peer in resolved.peers.items():
        stanza = wireguard.write_stanza(name, peer)
        start, end = end, end + len(stanza)
        places[name] = slice(start, end)
        stanzas.append(stanza)
    return _Peers("".join(stanzas), places)


def _nobody_like(host: HostState) -> HostState:
    """Return the host without its name: resolved, it sees every peer and not all but one."""
    return replace(host, name=NodeName(""))


def _render(host: HostState, stanzas: Iterable[str]) -> Files:
    files: Files = {}
    for written in (*(render(host) for render in RENDERERS), wireguard.render(host, stanzas)):
        for name, text in written.items():
            if name in files:
                place = f"HostState/{host.name}"
                raise Problems([Problem(object=place, value=name, rule="two files of one name")])
            files[name] = text
    return files
