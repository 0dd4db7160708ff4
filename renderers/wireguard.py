"""A host's WireGuard device and peers to a file for ``wg addconf``. Never a private key.

A peer's stanza is text that does not depend on who reads it, so a mesh of a thousand nodes has a
thousand stanzas, not a million: each is written once and joined.
"""

from collections.abc import Iterable

from renderers.template import render_template
from schemas.state import HostState, ResolvedPeer
from schemas.values import NodeName


def render(host: HostState, stanzas: Iterable[str]) -> dict[str, str]:
    """Write ``<interface>.conf``: the device's own section, then the peers' stanzas.

    ``wg addconf`` changes only what the file names, so the private key that was set before stays
    (``setconf`` would clear it: ``config_read_init`` in wireguard-tools).
    """
    name = f"{host.wireguard.interface}.conf"
    head = render_template("wireguard.conf", {"host": host, "file_name": name})
    return {name: "".join((head, *stanzas))}


def write_stanza(name: NodeName, peer: ResolvedPeer) -> str:
    """Write one ``[Peer]``, with the empty line before it."""
    return render_template("wireguard.peer", {"name": name, "peer": peer})
