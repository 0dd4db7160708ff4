"""Build the cryptokey routing table of the hosts that join the same peer groups.

Hosts that join the same groups share one table. No host is its own peer (the kernel refuses a
device's own key, ``set_peer`` in drivers/net/wireguard/netlink.c), and one may lack peers for now:
whoever asks names those that are to be left out.
"""

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from review.model.matching import LongestMatch
from review.model.numbers import Reach, read_endpoint, read_prefix
from review.model.story import Place
from schemas.document import MESH_FILE
from schemas.state import MeshState, Peer
from schemas.values import NodeName, Prefix, PublicKey


class KnownPeer(NamedTuple):
    """A peer as those know it who join its group."""

    name: NodeName
    public_key: PublicKey
    reach: Reach | None
    """None: its endpoint is unknown until it speaks."""
    place: Place

    def at(self, *steps: str | int) -> Place:
        """Return the place of something inside of its entry."""
        return Place(file=self.place.file, path=(*self.place.path, *steps))


class Claim(NamedTuple):
    """A prefix of a peer's allowed IPs."""

    peer: KnownPeer
    prefix: Prefix
    position: int
    """Among the peer's allowed IPs."""

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.peer.at("allowedIPs", self.position)


class PeerTable:
    """What ``wg_allowedips_lookup`` looks into, for all hosts that join the same groups."""

    __slots__ = ("_by_key", "_claims", "peers")

    def __init__(self, peers: Iterable[tuple[KnownPeer, Peer]]) -> None:
        """Take each peer with its entry, in the order in which a host is given them."""
        entries = tuple(peers)
        self.peers = {known.name: known for known, _ in entries}
        self._by_key: dict[PublicKey, list[KnownPeer]] = {}
        claims = []
        for known, peer in entries:
            self._by_key.setdefault(known.public_key, []).append(known)
            for index, prefix in enumerate(peer.allowed_ips):
                if (read := read_prefix(prefix)) is not None:
                    claims.append((read, Claim(known, prefix, index)))
        # A prefix is the last one's that it was given to (``wg_allowedips_insert`` replaces), so
        # that one stands first here.
        claims.reverse()
        self._claims = (LongestMatch(claims, ipv6=False), LongestMatch(claims, ipv6=True))

    def find_claim(self, number: int, *, ipv6: bool, without: Collection[NodeName]) -> Claim | None:
        """Return the longest claim to an address by any peer but those named."""
        for claim in self._claims[ipv6].find(number):
            if claim.peer.name not in without:
                return claim
        return None

    def find_by_key(self, key: PublicKey, *, without: Collection[NodeName]) -> KnownPeer | None:
        """Return who is known by a public key, but for those named."""
        for known in self._by_key.get(key, ()):
            if known.name not in without:
                return known
        return None


NO_PEERS: Final = PeerTable(())


def build_peer_table(mesh: MeshState, groups: tuple[str, ...]) -> PeerTable:
    """Return the table of those who join these groups; a group that the mesh lacks adds nobody."""
    return PeerTable(
        (_know(group, name, peer), peer)
        for group in groups
        for name, peer in sorted(mesh.peer_groups.get(group, {}).items())
    )


def _know(group: str, name: NodeName, peer: Peer) -> KnownPeer:
    place = Place(file=MESH_FILE, path=("peerGroups", group, name))
    reach = None if peer.endpoint is None else read_endpoint(peer.endpoint)
    return KnownPeer(name, peer.public_key, reach, place)
