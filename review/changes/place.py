"""Spell where a difference is, the same for every file that has it."""

from review.changes.delta import Delta
from review.changes.frame import Frame
from schemas.problems import spell_path

_CHAIN = 3
"""Steps to a chain: ``firewall``, the family, its number."""


def spell_place(frame: Frame, delta: Delta) -> str:
    """Return ``firewall.ipv4.guard.rules``: chains by name, and no number of what comes or goes."""
    path = delta.path
    if path and isinstance(path[-1], int) and (delta.comes or delta.goes):
        path = path[:-1]
    if path[:1] == ("firewall",) and len(path) >= _CHAIN:
        firewall = frame.old.hosts[frame.files[delta.file]].firewall
        chains = firewall.ipv6 if path[1] == "ipv6" else firewall.ipv4
        path = (*path[:2], chains[int(path[2])].name, *path[_CHAIN:])
    return spell_path(path)
