"""A schema of this package to one that stands alone, for programs that follow no references.

Editors know files, and few of them know ``$id``: with one, a reference to a sibling would send
them to the network.
"""

from pathlib import Path
from typing import Any, Final

from schemas.validate import load_schema

_SUFFIX: Final = ".schema.json"


def list_schemas() -> tuple[str, ...]:
    """Return the names of all schemas, sorted."""
    files = Path(__file__).parent.glob(f"*{_SUFFIX}")
    return tuple(sorted(file.name.removesuffix(_SUFFIX) for file in files))


def build_standalone(name: str) -> dict[str, Any]:
    """Return a schema whose references all lead to places of its own; it has no ``$id``."""
    wanted, embedded = [name], dict[str, dict[str, Any]]()
    while wanted:
        each = wanted.pop()
        if each in embedded:
            continue
        found: set[str] = set()
        embedded[each] = _redirect(load_schema(each), each, name, found)
        wanted += sorted(found)
    schema = embedded.pop(name)
    for each, content in sorted(embedded.items()):
        content.pop("$schema", None)
        schema.setdefault("$defs", {})[each] = content
    return schema


def _redirect(node: Any, owner: str, top: str, found: set[str]) -> Any:  # noqa: ANN401 - JSON
    """Return a part of a schema with its references redirected; note whom they lead to."""
    if isinstance(node, list):
        return [_redirect(each, owner, top, found) for each in node]
    if not isinstance(node, dict):
        return node
    redirected = {
        key: _redirect(value, owner, top, found) for key, value in node.items() if key != "$id"
    }
    if isinstance(target := node.get("$ref"), str):
        file, _, pointer = target.partition("#")
        meant = file.removesuffix(_SUFFIX) or owner
        found.add(meant)
        redirected["$ref"] = f"#{pointer}" if meant == top else f"#/$defs/{meant}{pointer}"
    return redirected
