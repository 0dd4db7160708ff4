"""A kustomization folder to the objects that ``kubectl apply -k`` would send.

Only what ``deploy/`` uses is known: files, folders, components, and JSON patches (RFC 6902) by
target. Anything else raises, so that nothing is silently left out.
"""

import copy
from pathlib import Path
from typing import Any, Final

import yaml

Object = dict[str, Any]

DEPLOY: Final = Path(__file__).parents[2] / "deploy"
_KNOWN: Final = frozenset({"apiVersion", "kind", "resources", "components", "patches"})


def build(folder: Path | str, *components: str) -> list[Object]:
    """Return the objects of a folder below ``deploy/``, with the components named beside it."""
    objects = _build(DEPLOY / folder)
    for name in components:
        objects = _apply(objects, DEPLOY / "components" / name)
    return objects


def read(path: Path) -> list[Any]:
    """Return the documents of one file."""
    return [found for found in yaml.safe_load_all(path.read_text("utf-8")) if found is not None]


def read_kustomization(folder: Path) -> Object:
    """Return what a folder's ``kustomization.yaml`` says."""
    [found] = read(folder / "kustomization.yaml")
    if found.keys() - _KNOWN:
        raise NotImplementedError(f"{folder}: {sorted(found.keys() - _KNOWN)}")
    return dict(found)


def one(objects: list[Object], kind: str, name: str) -> Object:
    """Return the one object of that kind and name."""
    [found] = [each for each in objects if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def _build(folder: Path) -> list[Object]:
    return _apply([], folder)


def _apply(objects: list[Object], folder: Path) -> list[Object]:
    said = read_kustomization(folder)
    found = list(objects)
    for name in said.get("resources", ()):
        path = folder / name
        found += _build(path) if path.is_dir() else read(path)
    for name in said.get("components", ()):
        found = _apply(found, folder / name)
    for change in said.get("patches", ()):
        [operations] = read(folder / change["path"])
        found = [patch(each, operations, change["target"]) for each in found]
    return found


def patch(document: Object, operations: list[Object], target: dict[str, str]) -> Object:
    """Return an object, changed if it is the target. A ``test`` that fails raises ValueError."""
    if (document["kind"], document["metadata"]["name"]) != (target["kind"], target["name"]):
        return document
    patched = copy.deepcopy(document)
    for operation in operations:
        _operate(patched, operation)
    return patched


def _operate(document: Object, operation: Object) -> None:
    *parents, last = operation["path"].removeprefix("/").split("/")
    place: Any = document
    for part in parents:
        place = place[int(part) if isinstance(place, list) else part]
    match operation["op"], place:
        case "add", list() if last == "-":
            place.append(operation["value"])
        case (("add" | "replace"), dict()) if operation["op"] == "add" or last in place:
            place[last] = operation["value"]
        case "replace", list():
            place[int(last)] = operation["value"]
        case "remove", dict():
            del place[last]
        case "test", _:
            found = place[int(last) if isinstance(place, list) else last]
            if found != operation["value"]:
                raise ValueError(f"{operation['path']}: {found!r} is not {operation['value']!r}")
        case _:
            raise NotImplementedError(f"{operation['op']} {operation['path']}")
