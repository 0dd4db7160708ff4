"""Documents and the differences that a review found, to the documents that these lead to.

It knows nothing of causes: what is not among the differences stays as it was.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from review.changes.delta import Delta
from review.changes.frame import Frame
from schemas.document import MESH_FILE, list_documents
from schemas.state import Documents

Plain = Any
"""What JSON is made of."""
Inside = Mapping[Any, list[tuple[tuple[Any, ...], Delta]]]
"""Differences by the next step of their path, with what is left of it."""
Here = list[tuple[Any, Delta]]
"""Differences whose path ends with this step."""


def files_of(documents: Documents) -> dict[str, Plain]:
    """Return the documents by file, each as what JSON is made of, defaults included."""
    return {file: _plain(document) for file, document in list_documents(documents).items()}


def patch(frame: Frame, deltas: Iterable[Delta]) -> dict[str, Plain]:
    """Return the old documents, by the names of the new ones, with all differences applied."""
    by_file: dict[str, list[tuple[tuple[Any, ...], Delta]]] = defaultdict(list)
    files = files_of(frame.old)
    for delta in deltas:
        if delta.file == MESH_FILE and delta.before in frame.renamed.values():
            continue  # a new name, which the frame gave to the node already
        by_file[delta.file].append((delta.path, delta))
    for file, some in by_file.items():
        if some[0][0]:
            files[file] = _patch(files[file], some)
            continue
        [(_, whole)] = some
        assert (file in files) is not whole.comes
        files.pop(file, None)
        if not whole.goes:
            files[file] = _plain(whole.after)
    return files


def _patch(value: Plain, some: list[tuple[tuple[Any, ...], Delta]]) -> Plain:
    inside: dict[Any, list[tuple[tuple[Any, ...], Delta]]] = defaultdict(list)
    here: Here = []
    for (step, *rest), delta in some:
        if rest:
            inside[step].append((tuple(rest), delta))
        else:
            here.append((step, delta))
    if isinstance(value, dict):
        return _patch_dict(value, here, inside)
    return _patch_list(value, here, inside)


def _patch_dict(value: dict[str, Plain], here: Here, inside: Inside) -> dict[str, Plain]:
    patched = {k: _patch(each, inside[k]) if k in inside else each for k, each in value.items()}
    for key, delta in here:
        assert value.get(key, UNSET) == _plain(delta.before)
        patched.pop(key, None)
        if not delta.goes:
            patched[key] = _plain(delta.after)
    return patched


def _patch_list(value: list[Plain], here: Here, inside: Inside) -> list[Plain]:
    gone = {index for index, delta in here if delta.goes}
    patched = [
        _patch(each, inside[index]) if index in inside else each
        for index, each in enumerate(value)
        if index not in gone
    ]
    for index, delta in sorted(here, key=lambda one: int(one[0])):
        if delta.goes:
            assert value[index] == _plain(delta.before)
        elif delta.comes:
            patched.insert(index, _plain(delta.after))
        else:
            patched[index] = _plain(delta.after)
    return patched


def _plain(value: object) -> Plain:
    """Return a value as what JSON is made of; an absent optional field is no field."""
    match value:
        case msgspec.Struct():
            fields = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
            named = {spelt: getattr(value, name) for spelt, name in fields}
            return {name: _plain(each) for name, each in named.items() if each is not None}
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case _:
            return value
