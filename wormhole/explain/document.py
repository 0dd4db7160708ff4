"""An explanation as a document: what ``explain --json`` prints."""

from typing import Any

from compiler.origins.origin import Origin
from schemas.state import API_VERSION, ApiVersion, Value


class Told(Value, frozen=True, kw_only=True):
    """One place of a document, and what it comes from."""

    role: str = ""
    """What it is to the address that was asked for."""
    file: str
    """As it is called inside the state folder: ``hosts/node-a.json``."""
    line: int = 0
    path: str
    """As people spell it: ``firewall.ipv4[0].rules[3]``; empty for the whole document."""
    value: Any = None
    """What stands there; absent where nothing does."""
    rule: str
    """The compiler's rule, in whole sentences."""
    within: str = ""
    """Of a firewall's rule: why there is its chain."""
    made_by: str = ""
    reckoning: str = ""
    """The arithmetic, with the inventory's numbers."""
    origins: tuple[Origin, ...] = ()
    deviation: str = ""
    """How it is not what the inventory compiles to."""
    compiled: Any = None
    """What the inventory compiles to there, where that is something else."""


class Explanation(Value, frozen=True, kw_only=True, tag_field="kind", tag="Explanation"):
    """The answer to one question."""

    api_version: ApiVersion = API_VERSION
    asked: str
    places: tuple[Told, ...]
