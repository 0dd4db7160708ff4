"""A link's name as it stands in the names of its kernel parameters."""


def slashed(link: str) -> str:
    """Spell a link inside a dotted name as sysctl(8) does: its own dots become slashes."""
    return link.replace(".", "/")
