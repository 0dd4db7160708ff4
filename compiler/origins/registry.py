"""A place in a document to the rule of the compiler that wrote it: an explicit table of patterns.

``*`` stands for any key, ``[*]`` for any item. A chain, a firewall's rule and a route are known by
what they say rather than by where they stand.
"""

import re
from typing import Any, Final

from compiler.origins.cni_reasons import CNI_REASONS
from compiler.origins.firewall_reasons import FIREWALL_REASONS, find_firewall_reason
from compiler.origins.host_reasons import HOST_REASONS, find_route_reason
from compiler.origins.mesh_reasons import MESH_REASONS
from compiler.origins.reason import Reason, Table
from compiler.reading import Path

_STEP: Final = re.compile(r"[^.\[\]]+|\[\*\]")
_ANY_ITEM: Final = "[*]"
_ANY_KEY: Final = "*"

_Patterns = tuple[tuple[tuple[str, ...], Reason], ...]


def _read(table: Table) -> _Patterns:
    return tuple((tuple(_STEP.findall(pattern)), reason) for pattern, reason in table.items())


_MESH: Final = _read(MESH_REASONS)
_HOST: Final = _read({**HOST_REASONS, **CNI_REASONS, **FIREWALL_REASONS})


def find_reason(document: Any, path: Path) -> Reason | None:  # noqa: ANN401 - JSON is anything
    """Return why the compiler writes what stands at a place; None where it writes nothing.

    The place must be there, or be an optional field that is not.
    """
    if document.get("kind") == "MeshState":
        return _match(_MESH, path)
    match path:
        case ("firewall", str(), int(), *_):
            return find_firewall_reason(document, path)
        case ("routes", int(index), *rest):
            return find_route_reason(document["routes"][index], str(rest[0]) if rest else "")
        case _:
            return _match(_HOST, path)


def _match(patterns: _Patterns, path: Path) -> Reason | None:
    return next((reason for pattern, reason in patterns if _fits(pattern, path)), None)


def _fits(pattern: tuple[str, ...], path: Path) -> bool:
    return len(pattern) == len(path) and all(
        wanted == step
        if isinstance(step, str) and wanted != _ANY_KEY
        else wanted == (_ANY_KEY if isinstance(step, str) else _ANY_ITEM)
        for wanted, step in zip(pattern, path, strict=True)
    )


def may_be_absent(document: Any, path: Path) -> bool:  # noqa: ANN401 - JSON is anything
    """Whether a place is one of a fixed name where the compiler does not always write something."""
    patterns = _MESH if document.get("kind") == "MeshState" else _HOST
    return any(_fits(pattern, path) and pattern[-1] == path[-1] for pattern, _ in patterns if path)
