"""Members of a mesh to those whose underlay leaves too little room inside the tunnel."""

from collections.abc import Iterable, Iterator
from typing import Final

from compiler.fields import Site
from compiler.mesh import ReadMesh
from compiler.node import Member
from compiler.topology import tunnel_mtu
from compiler.unfold import Complaint

_LEAST_MTU: Final = {4: 576, 6: 1280}
"""What every IPv4 host must accept (RFC 791, 3.1), and every IPv6 link carry (RFC 8200, 5)."""


def find_narrow(
    mesh: ReadMesh, members: Iterable[Member], overhead: int
) -> Iterator[tuple[Member, Complaint]]:
    """Yield members that cannot carry every family of the overlay under so many bytes of overhead.

    A member that takes the mesh's MTU comes with a complaint about the mesh.
    """
    if not mesh.overlays:
        return
    version = max(overlay.version for overlay in mesh.overlays)
    least = _LEAST_MTU[version]
    for member in members:
        mtu = member.underlay_mtu
        if (inner := tunnel_mtu(mtu, overhead)) < least:
            own = member.object.get("spec", "underlayMTU") is not None
            rule = (
                f"leaves {inner} bytes inside the tunnel, and IPv{version} needs {least}: "
                f"the smallest that works here is {least + overhead}"
            )
            site = Site(member.object if own else mesh.object, ("spec", "underlayMTU"))
            yield member, site.complain(rule, mtu)
