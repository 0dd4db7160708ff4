"""Objects to those that an inventory is made of, their shape checked; the others are counted.

What breaks its shape is complained about once, and counts as absent from there on: so everything
else about the same object is still checked.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from compiler.reading import Path
from compiler.unfold import Complaint, Object
from schemas.state import API_VERSION, Value
from schemas.validate import Violation, violations
from schemas.wording import name_type, show, suggest

_GROUP: Final = API_VERSION.partition("/")[0]
_OURS: Final = ("Mesh", "MeshNode", "MeshPeer")
_SCHEMAS: Final = {
    (API_VERSION, "Mesh"): "mesh",
    (API_VERSION, "MeshNode"): "meshnode",
    ("v1", "Node"): "node",
}
_SECRETS: Final = frozenset({"privatekey", "presharedkey", "psk", "masterkey", "secret"})


class Objects(Value, frozen=True, kw_only=True):
    """What the sources hold, sorted out."""

    meshes: tuple[Object, ...]
    mesh_nodes: tuple[Object, ...]
    nodes: tuple[Object, ...]
    complaints: tuple[Complaint, ...]
    warnings: tuple[Complaint, ...]
    skipped: int
    unclear: int
    """How many objects could not be sorted out; what seems to be missing may be among them."""

    @property
    def count(self) -> int:
        """How many objects there are at all."""
        known = len(self.meshes) + len(self.mesh_nodes) + len(self.nodes)
        return known + self.skipped + self.unclear


def sort_objects(entries: Iterable[Object]) -> Objects:
    """Sort objects by kind, and check the shape of those whose kind we read."""
    sorter = _Sorter()
    for entry in entries:
        sorter.take(entry)
    return Objects(
        meshes=tuple(sorter.known["mesh"]),
        mesh_nodes=tuple(sorter.known["meshnode"]),
        nodes=tuple(sorter.known["node"]),
        complaints=tuple(sorter.complaints),
        warnings=tuple(sorter.warnings),
        skipped=sorter.skipped,
        unclear=sorter.unclear,
    )


class _Sorter:
    def __init__(self) -> None:
        self.known: dict[str, list[Object]] = {schema: [] for schema in _SCHEMAS.values()}
        self.complaints: list[Complaint] = []
        self.warnings: list[Complaint] = []
        self.skipped = 0
        self.unclear = 0

    def take(self, entry: Object) -> None:
        api_version = entry.value.get("apiVersion") if isinstance(entry.value, dict) else None
        schema = _SCHEMAS.get((api_version, entry.kind)) if isinstance(api_version, str) else None
        if schema is not None:
            self._take_known(entry, schema)
        elif complaints := tuple(_find_confusion(entry)):
            self.complaints += complaints
            self.unclear += 1
        else:
            self.warnings += _warn_of_skipping(entry)
            self.skipped += 1

    def _take_known(self, entry: Object, schema: str) -> None:
        found = violations(entry.value, schema)
        if not found:
            self.known[schema].append(entry)
            return
        broken: frozenset[Path] = frozenset(_broken_field(each) for each in found)
        name = "" if broken & {("metadata",), ("metadata", "name")} else entry.name
        self.known[schema].append(msgspec.structs.replace(entry, broken=broken, name=name))
        for each in found:
            rule = _secret_rule(each.path) or each.rule
            self.complaints.append(
                Complaint(object=entry, path=each.path, value=each.value, rule=rule)
            )


def _broken_field(violation: Violation) -> Path:
    """Return the field that is not to be read: an unknown one stands for the one it means."""
    if violation.meant:
        return (*violation.path[:-1], violation.meant)[:2]
    return violation.path[:2]


def _secret_rule(path: Path) -> str:
    if str(path[-1] if path else "").lower() not in _SECRETS:
        return ""
    return (
        "unknown field: no secret belongs in an inventory; it is made on its host and stays there"
    )


def _find_confusion(entry: Object) -> Iterator[Complaint]:
    """Complain about what is no Kubernetes object, or says that it is ours and is not."""
    value = entry.value
    if not isinstance(value, dict):
        # The value is not shown: somebody may have named a file that holds nothing but a key.
        rule = (
            "must be a Kubernetes object, a mapping with apiVersion, kind and metadata, "
            f"not {name_type(value)}"
        )
        yield Complaint(object=entry, rule=rule)
        return
    unnamed = [field for field in ("apiVersion", "kind") if not isinstance(value.get(field), str)]
    for field in unnamed:
        given = value.get(field)
        rule = "required field is missing" if given is None else "must be a string"
        shown = "" if given is None else show(given)
        yield Complaint(object=entry, path=(field,), value=shown, rule=rule)
    if not unnamed and value["apiVersion"].partition("/")[0] == _GROUP:
        yield from _find_unknown(entry, value["apiVersion"])


def _find_unknown(entry: Object, api_version: str) -> Iterator[Complaint]:
    """Complain about a kind or a version of our own group that does not exist."""
    if entry.kind not in _OURS:
        near = suggest(entry.kind, _OURS) or f" (known: {', '.join(_OURS)})"
        rule = f"is no kind of inventory object in {_GROUP}{near}"
        yield Complaint(object=entry, path=("kind",), value=entry.kind, rule=rule)
    if api_version != API_VERSION:
        rule = f"is a version that this program does not know (known: {API_VERSION})"
        yield Complaint(object=entry, path=("apiVersion",), value=api_version, rule=rule)


def _warn_of_skipping(entry: Object) -> Iterator[Complaint]:
    """Warn about a skipped object that its author may have meant for us."""
    if entry.value["apiVersion"] == API_VERSION:
        yield Complaint(object=entry, rule="external peers come in a later version: left out")
    elif entry.kind in _OURS:
        rule = f"is not {API_VERSION}: skipped, as every object of somebody else's"
        value = entry.value["apiVersion"]
        yield Complaint(object=entry, path=("apiVersion",), value=value, rule=rule)
