"""Documents to the Kubernetes objects in them: lists give way to what they hold."""

from collections.abc import Iterator, Sequence
from typing import Any

from compiler.reading import Document, Path, Reading
from schemas.state import Value
from schemas.wording import show


class Object(Value, frozen=True, kw_only=True):
    """One object of the inventory, and where it stands."""

    value: Any
    source: int
    """Which of the sources."""
    path: Path
    """Its way from the source's root: the document's index, then into ``items``."""
    line: int
    kind: str = ""
    """Empty when it has none that is text. So is the name."""
    name: str = ""
    broken: frozenset[Path] = frozenset()
    """The fields whose shape is wrong, such as ``("spec", "endpoint")``."""

    @property
    def title(self) -> str:
        """``Kind/name``, as far as there are such."""
        return f"{self.kind or '?'}/{show(self.name)}" if self.name else self.kind

    def is_broken(self, section: str, field: str) -> bool:
        """Whether a field's shape is wrong: its own, or that of what it stands in."""
        return not self.broken.isdisjoint({(), (section,), (section, field)})

    def get(self, section: str, field: str) -> Any:  # noqa: ANN401 - what the schema says of the field
        """Return a field of ``spec`` or ``status``; None when absent or of a wrong shape."""
        if self.broken and self.is_broken(section, field):
            return None
        return self.value.get(section, {}).get(field)


class Complaint(Value, frozen=True, kw_only=True):
    """A problem of one object, before anybody has looked up its line."""

    object: Object
    path: Path = ()
    """From the object's root."""
    value: str = ""
    rule: str


def unfold(readings: Sequence[Reading]) -> Iterator[Object]:
    """Yield every object of every source, in order; elements of lists in place of the lists."""
    for source, reading in enumerate(readings):
        for document in reading.documents:
            yield from _unfold_document(source, document)


def _unfold_document(source: int, document: Document) -> Iterator[Object]:
    root = _object(document.value, source, (document.index,), document.line)
    waiting = [root]  # a stack of our own, because lists may hold lists, to any depth
    while waiting:
        entry = waiting.pop()
        items = _items_of(entry)
        if items is None:
            yield entry
            continue
        lines = document.item_lines if entry is root else ()
        for index in reversed(range(len(items))):
            value = _typed(items[index], entry)
            line = lines[index] if lines else entry.line
            waiting.append(_object(value, source, (*entry.path, "items", index), line))


def _object(value: object, source: int, path: Path, line: int) -> Object:
    """Read kind and name, as far as they can be read."""
    fields = value if isinstance(value, dict) else {}
    metadata = fields.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    kind = fields.get("kind")
    return Object(
        value=value,
        source=source,
        path=path,
        line=line,
        kind=kind if isinstance(kind, str) else "",
        name=name if isinstance(name, str) else "",
    )


def _items_of(entry: Object) -> list[object] | None:
    """Return what a list holds; None for any other object."""
    if not entry.kind.endswith("List") or "items" not in entry.value:
        return None
    items = entry.value["items"]
    if items is None:  # how Go spells an empty list
        return []
    return items if isinstance(items, list) else None


def _typed(item: object, parent: Object) -> object:
    """Give an element of a typed list (``NodeList``) the kind that the API server leaves out."""
    kind = parent.kind.removesuffix("List")
    if not kind or not isinstance(item, dict) or "kind" in item:
        return item
    return {"apiVersion": parent.value.get("apiVersion"), "kind": kind, **item}
