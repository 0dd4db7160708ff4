"""Fields of objects that hold prefixes, to networks that know where they were written."""

from typing import NamedTuple

from compiler.networks import InvalidTextError, Network, parse_network
from compiler.reading import Path
from compiler.unfold import Complaint, Object
from schemas.wording import show


class Site(NamedTuple):
    """A place in the inventory: a field of an object."""

    entry: Object
    path: Path

    def complain(self, rule: str, value: object = "") -> Complaint:
        """Say what is wrong here."""
        return Complaint(object=self.entry, path=self.path, value=show(value), rule=rule)


Placed = tuple[Network, Site]
"""A prefix, and where it was written."""


def read_networks(
    entry: Object, section: str, field: str
) -> tuple[tuple[Placed, ...], tuple[Complaint, ...]]:
    """Parse a field that is a list of prefixes, or one; complain about each that is none."""
    given = entry.get(section, field)
    texts = [] if given is None else given
    placed: list[Placed] = []
    complaints: list[Complaint] = []
    for index, text in enumerate([texts] if isinstance(texts, str) else texts):
        path = (section, field) if texts is text else (section, field, index)
        site = Site(entry, path)
        try:
            placed.append((parse_network(text), site))
        except InvalidTextError as error:
            complaints.append(site.complain(str(error), text))
    return tuple(placed), tuple(complaints)
