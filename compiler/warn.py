"""Members of a mesh to what is worth a warning: it works, but perhaps not as meant."""

from collections import Counter
from collections.abc import Iterator, Sequence

from compiler.fields import Site, read_networks
from compiler.mesh import ReadMesh
from compiler.node import Member
from compiler.unfold import Complaint


def warn_of_members(mesh: ReadMesh, members: Sequence[Member]) -> Iterator[Complaint]:
    """Find what somebody should know about members that are otherwise right."""
    versions = {overlay.version for overlay in mesh.overlays}
    for member in members:
        yield from _warn_of_no_endpoint(member)
        for version in sorted(versions - {network.version for network, _ in member.networks}):
            rule = (
                f"has no IPv{version} pod CIDR: its pods get no IPv{version}, which the overlay has"
            )
            yield Site(member.object, ()).complain(rule)
    yield from _warn_of_mtus(mesh, members)
    yield from _warn_of_unreachable_nodes(mesh, members)


def _warn_of_no_endpoint(member: Member) -> Iterator[Complaint]:
    if member.reach is not None:
        return
    rule = "has no endpoint: others cannot reach it until it has spoken to them"
    if not member.persistent_keepalive:
        rule += ", so give it a persistentKeepalive"
    yield Site(member.object, ()).complain(rule)


def _warn_of_mtus(mesh: ReadMesh, members: Sequence[Member]) -> Iterator[Complaint]:
    """Warn when nodes differ: each sizes its packets for its own side of a path only."""
    counts = Counter(member.underlay_mtu for member in members)
    if len(counts) > 1:
        shown = ", ".join(f"{mtu} on {count}" for mtu, count in sorted(counts.items()))
        rule = (
            f"the nodes' underlay MTUs differ ({shown}): a path carries no more than its "
            "narrower end, so large packets to it may be lost"
        )
        yield Site(mesh.object, ()).complain(rule)


def _warn_of_unreachable_nodes(mesh: ReadMesh, members: Sequence[Member]) -> Iterator[Complaint]:
    """Warn when pods would meet other nodes under their own addresses, outside the tunnel.

    What comes from an overlay source by any other device than the tunnel or the bridge is dropped:
    it may be forged.
    """
    versions = {overlay.version for overlay in mesh.overlays}
    reached = [
        (member.object.title, member.reach[0])
        for member in members
        if member.reach is not None and member.reach[0].version in versions
    ]
    if len(members) < 2 or not reached:  # noqa: PLR2004 - pods reach their own node by the bridge
        return
    why = "a host drops packets from overlay addresses that come unencrypted"
    if not mesh.mesh.masquerade:
        rule = f"is false: pods cannot reach the other nodes' own addresses, since {why}"
        yield Site(mesh.object, ("spec", "masquerade")).complain(rule)
        return
    for network, site in read_networks(mesh.object, "spec", "nonMasqueradeCIDRs")[0]:
        held = [title for title, reach in reached if reach.is_in(network)]
        if held:
            more = f" and of {len(held) - 1} more" if len(held) > 1 else ""
            rule = (
                f"holds the endpoint of {held[0]}{more}: "
                f"pods of other nodes cannot reach a node there, since {why}"
            )
            yield site.complain(rule, network.prefix)
