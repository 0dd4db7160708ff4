"""What ``explain`` says of where things come from is true: held to the compiler by experiment.

One field of an inventory is changed. Each place of the documents that then differs must name that
field: what went, among its origins before; what came, among those after; what changed, in either.
"""

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import yaml
from effort import examples
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st
from inventories import make_key
from written import Object, written_inventories

from compiler.origins.marks import How
from compiler.origins.origin import Origin, Origins, spell_value
from compiler.origins.registry import find_reason
from compiler.source import Source
from schemas.problems import Problems, spell_path

pytestmark = pytest.mark.law

Steps = tuple[str | int, ...]
GONE = object()

CHANGES: dict[str, list[tuple[Steps, list[object]]]] = {
    "Mesh": [
        (("metadata", "name"), ["other"]),
        (("spec", "overlayCIDRs"), [["10.0.0.0/8"], ["10.0.0.0/8", "fd00:244::/31"]]),
        (("spec", "overlayCIDRs", 0), ["10.0.0.0/9", "fd00::/16", "172.20.0.0/16"]),
        (("spec", "interface"), ["wg7", GONE]),
        (("spec", "bridge"), ["br7", GONE]),
        (("spec", "listenPort"), [1234, GONE]),
        (("spec", "underlayMTU"), [1444, GONE]),
        (("spec", "persistentKeepalive"), [0, 11, GONE]),
        (("spec", "masquerade"), [True, False, GONE]),
        (("spec", "nonMasqueradeCIDRs"), [["192.0.2.0/24"], [], GONE]),
        (("spec", "nonMasqueradeCIDRs", 0), ["198.51.100.0/24", "fd00:99::/64"]),
        (("spec", "iptablesVariant"), ["legacy", "auto", GONE]),
        (("spec", "presharedKeyEpoch"), ["e2", GONE]),
        (("spec", "cni", "fileName"), ["01-x.conflist", GONE]),
        (("spec", "cni"), [{"version": "0.4.0"}, GONE]),
    ],
    "MeshNode": [
        (("metadata", "name"), ["renamed"]),
        (("spec", "publicKey"), [make_key("another")]),
        (("spec", "endpoint"), ["203.0.113.9", "203.0.113.9:9", "2001:db8:f::9", GONE]),
        (("spec", "podCIDRs"), [["10.77.0.0/24", "10.76.0.0/24"], ["fd00:244:77::/64"], GONE]),
        (("spec", "podCIDRs", 0), ["10.77.0.0/24", "10.200.0.0/26", "fd00:244:77::/64"]),
        (("spec", "listenPort"), [4321, GONE]),
        (("spec", "underlayMTU"), [1446, GONE]),
        (("spec", "persistentKeepalive"), [0, 17, GONE]),
    ],
    "Node": [
        (("metadata", "name"), ["renamed"]),
        (("spec", "podCIDRs"), [["10.77.0.0/24"], GONE]),
        (("spec", "podCIDRs", 0), ["10.77.0.0/24", "fd00:244:77::/64"]),
        (("spec", "podCIDR"), ["10.78.0.0/24", GONE]),
        (("status", "addresses", 0, "address"), ["203.0.113.9", "2001:db8:f::9"]),
        (("status", "addresses", 0, "type"), ["InternalIP", "ExternalIP", "Hostname"]),
        (("status", "addresses", 1, "type"), ["InternalIP", "ExternalIP", "Hostname"]),
    ],
}


class Place(NamedTuple):
    file: str
    path: Steps


def sources_of(objects: list[Object]) -> list[Source]:
    text = yaml.safe_dump_all(objects, width=10_000, sort_keys=False)
    return [Source(name="cluster.yaml", text=text)]


def documents_of(origins: Origins) -> dict[str, Any]:
    return {file: origins.read(file) for file in origins.files}


def differences(
    old: object, new: object, at: Steps = (), to: Steps = ()
) -> Iterator[list[Steps | None]]:
    """Yield where something went, came or changed: its path before, and after."""
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            if key in old and key in new:
                yield from differences(old[key], new[key], (*at, key), (*to, key))
            else:
                yield [(*at, key) if key in old else None, (*to, key) if key in new else None]
    elif isinstance(old, list) and isinstance(new, list):
        pairs, went, came = align(old, new)
        for before, after in pairs:
            yield from differences(old[before], new[after], (*at, before), (*to, after))
        yield from ([(*at, index), None] for index in went)
        yield from ([None, (*to, index)] for index in came)
    else:
        yield [at, to]


def align(old: list[Any], new: list[Any]) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    """Pair what is equal, then what has something in common, then what is as many; name the rest.

    Lists are sorted, so an item's place says nothing: it may move because of another one.
    """
    pairs: list[tuple[int, int]] = []
    went, came = [*range(len(old))], [*range(len(new))]
    for alike in (lambda one, other: one == other, share):
        for index in tuple(went):
            if there := [number for number in came if alike(old[index], new[number])]:
                pairs.append((index, there[0]))
                went.remove(index)
                came.remove(there[0])
    if len(went) == len(came):
        return [*pairs, *zip(went, came, strict=True)], [], []
    return pairs, went, came


def share(one: object, other: object) -> bool:
    """Whether two are lists that share an item: the ranges of one IP family."""
    return isinstance(one, list) and isinstance(other, list) and any(each in other for each in one)


def names(found: tuple[Origin, ...], kind: str, members: set[str], field: Steps) -> bool:
    """Whether the field is among them; of a name, anything of who has it."""
    wanted = spell_path(field)
    for origin in found:
        if field == ("metadata", "name") and origin.object.partition("/")[2] in members:
            return True
        same = origin.object in {f"{kind}/{member}" for member in members}
        if same and (origin.path.startswith(wanted) or wanted.startswith(origin.path)):
            return True
    return False


@given(written_inventories(), st.data())
@settings(max_examples=examples(40))
def test_what_changes_with_a_field_names_the_field(
    objects: list[Object], data: st.DataObject
) -> None:
    before = read(objects)
    assume(before is not None)
    kind = data.draw(st.sampled_from(sorted({each["kind"] for each in objects})))
    kept = [number for number, each in enumerate(objects) if each["kind"] == kind]
    index = data.draw(st.sampled_from(kept))
    name = objects[index]["metadata"]["name"]
    for field, value in changes_of(objects[index]):
        changed = copy.deepcopy(objects)
        write(changed[index], field, value)
        after = read(changed)
        if before is None or after is None:
            continue
        members = {name, changed[index]["metadata"]["name"]}
        for was, now in differences(documents_of(before), documents_of(after)):
            found = (*origins_at(before, was), *origins_at(after, now))
            event(f"{kind} {spell_path(field)} changes something")
            assert names(found, kind, members, field), (field, value, was, now, found)


def read(objects: list[Object]) -> Origins | None:
    """Compile an inventory; None where it is not valid."""
    try:
        return Origins(sources_of(objects))
    except Problems:
        return None


def changes_of(entry: Object) -> Iterator[tuple[Steps, object]]:
    """Yield what can be changed in an object: what is there, and fields that may come."""
    held = {*places_of(entry)}
    for field, values in CHANGES[entry["kind"]]:
        for value in values:
            may_come = isinstance(field[-1], str) and value is not GONE
            if field in held or (may_come and field[:-1] in held):
                yield field, value


def write(entry: Object, field: Steps, value: object) -> None:
    *steps, last = field
    holder: Any = entry
    for step in steps:
        holder = holder[step]
    if value is GONE:
        del holder[last]
    else:
        holder[last] = value


def origins_at(origins: Origins, place: Steps | None) -> tuple[Origin, ...]:
    if place is None:
        return ()
    file, *path = place
    return origins.find(str(file), tuple(path))


def places_of(value: object, path: Steps = ()) -> Iterator[Steps]:
    yield path
    if isinstance(value, dict):
        for step, inner in value.items():
            yield from places_of(inner, (*path, step))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places_of(inner, (*path, index))


@given(written_inventories(), st.data())
@settings(max_examples=examples(60))
def test_every_origin_is_really_there(objects: list[Object], data: st.DataObject) -> None:
    origins = Origins(sources_of(objects))
    [source] = sources_of(objects)
    lines = source.text.splitlines()
    by_title = {f"{each['kind']}/{each['metadata']['name']}": each for each in objects}
    places = [(file, path) for file in origins.files for path in places_of(origins.read(file))]
    for file, path in data.draw(st.lists(st.sampled_from(places), min_size=3, max_size=10)):
        assert find_reason(origins.read(file), path) is not None
        for origin in origins.find(file, path):
            written = {spell_path(each): each for each in places_of(by_title[origin.object])}
            held = origin.path in written
            assert held is (origin.how is How.WRITTEN)
            if held:
                value: Any = by_title[origin.object]
                for step in written[origin.path]:
                    value = value[step]
                assert origin.value == spell_value(value)
                assert origin.value in lines[origin.line - 1]
