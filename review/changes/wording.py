"""Numbers, names and values to the words that sentences about changes are made of."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from schemas.state import Peer, Route, Rule

_SPELT: Final = 60
"""Characters of a value that stand in a sentence."""
_NAMED: Final = 2


def count(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 host``, ``1,000 hosts``, ``2 entries``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def a_or_count(number: int, noun: str) -> str:
    """Return ``a peer``, ``2 peers``."""
    article = "an" if noun[0] in "aeiou" else "a"
    return f"{article} {noun}" if number == 1 else f"{number:,} {noun}s"


def verb(number: int, plural: str, singular: str = "") -> str:
    """Return the verb for so many: ``gains`` for one, ``gain`` for others."""
    return (singular or plural + "s") if number == 1 else plural


def list_all(names: Sequence[str]) -> str:
    """Return ``a``, ``a and b``, ``a, b and c``."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last


def list_some(names: Sequence[str], shown: int) -> str:
    """Return ``a, b, c and 7 more``."""
    if len(names) <= shown:
        return list_all(names) if names else ""
    return f"{', '.join(names[:shown])} and {len(names) - shown:,} more"


def name_few(names: Sequence[str], noun: str) -> str:
    """Return one name, or two, or how many there are: ``node-a and node-b``, ``3 nodes``."""
    return list_all(names) if len(names) <= _NAMED else count(len(names), noun)


def each(numbers: Collection[int], noun: str) -> str:
    """Return how many each has: ``2 routes``, or ``up to 9 rules`` where they differ."""
    most = max(numbers, default=0)
    return a_or_count(most, noun) if len({*numbers}) <= 1 else f"up to {count(most, noun)}"


def spell_value(value: object) -> str:
    """Return a value of a document as a person writes it, on one line."""
    plain = msgspec.to_builtins(value)
    if isinstance(plain, str):
        return plain
    for kind, spell in _SPELLINGS.items():
        with suppress(msgspec.ValidationError):  # it is something else, perhaps much alike
            return spell(msgspec.convert(plain, kind))
    return json.dumps(plain, sort_keys=True)


def shorten(text: str) -> str:
    """Cut what is too long for a sentence."""
    return text if len(text) <= _SPELT else text[: _SPELT - 3] + "..."


def spell_rule(rule: Rule) -> str:
    """Return a rule in words of documents: ``drop to 10.244.0.0/16 (never in clear)``."""
    parts = (
        str(rule.verdict),
        f"in {rule.input}" if rule.input else "",
        f"out {rule.output}" if rule.output else "",
        f"from {rule.source}" if rule.source else "",
        f"to {rule.destination}" if rule.destination else "",
        "TCP SYN" if rule.tcp_syn else "",
    )
    return f"{' '.join(filter(None, parts))} ({rule.comment})"


def _spell_route(route: Route) -> str:
    device = f" out {route.device}" if route.device else ""
    return f"{route.type} {route.destination}{device} metric {route.metric}"


def _spell_peer(peer: Peer) -> str:
    where = f"at {peer.endpoint}" if peer.endpoint else "without an endpoint"
    return f"{', '.join(peer.allowed_ips)} {where}, key {peer.public_key}"


_SPELLINGS: Final[Mapping[type, Callable[[Any], str]]] = {
    Rule: spell_rule,
    Route: _spell_route,
    Peer: _spell_peer,
}
