"""A saved plan that is not as its host wrote it is refused, whichever part was touched."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from damage import DAMAGE
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from savedplans import Raw, apply_content, edit, facts_of, open_content, refuse, save
from scenes import Scene, build_inventory, converged, dump_all, resolve_host

from applier.plan import Action, Cause, Risk
from applier.saved.stale import Stale
from schemas.problems import Problems

Path = tuple[str | int, ...]


def drifted() -> tuple[Scene, bytes]:
    """Return a host with much to do: what joined, what moved, what others did."""
    scene = converged()
    for name in ("strange peer", "mtu", "remove routes", "flush chain", "sysctl", "conflist"):
        DAMAGE[name](scene)
    names = ("node-a", "node-b", "node-c", "node-d", "node-e")
    scene.resolved = resolve_host(build_inventory(names, persistent_keepalive=25))
    return scene, save(scene)


SCENE, CONTENT = drifted()
CHANGES = open_content(CONTENT).saved.plan.changes


def changes_of(raw: Raw) -> list[Raw]:
    changes: list[Raw] = raw["plan"]["changes"]
    return changes


def test_untouched_it_is_what_would_be_applied() -> None:
    scene, content = drifted()
    assert len(CHANGES) == 10
    assert apply_content(scene, content).done


@pytest.mark.parametrize("sealed", [False, True], ids=["as edited", "sealed again"])
@pytest.mark.parametrize("number", range(len(CHANGES)), ids=lambda n: f"{CHANGES[n].kind}-{n}")
def test_a_change_left_out_is_missed(number: int, *, sealed: bool) -> None:
    vault = SCENE.vault if sealed else None
    reasons = refuse(SCENE, edit(CONTENT, lambda raw: changes_of(raw).pop(number), vault))
    missed = [one for one in reasons.changes if one.planned is None]
    assert (facts_of(reasons), len(missed)) == (([], 1) if sealed else (["seal"], 0))


@pytest.mark.parametrize("number", range(len(CHANGES)), ids=lambda n: f"{CHANGES[n].kind}-{n}")
def test_a_change_made_twice_is_seen_although_it_is_sealed_again(number: int) -> None:
    def repeat(raw: Raw) -> None:
        changes_of(raw).append(changes_of(raw)[number])

    assert refuse(SCENE, edit(CONTENT, repeat, SCENE.vault)).reordered


@pytest.mark.parametrize("number", range(1, len(CHANGES)))
def test_two_changes_in_another_order_are_seen_although_it_is_sealed_again(number: int) -> None:
    def swap(raw: Raw) -> None:
        changes = changes_of(raw)
        changes[number - 1], changes[number] = changes[number], changes[number - 1]

    assert refuse(SCENE, edit(CONTENT, swap, SCENE.vault)).reordered


def edits_of_changes() -> Iterator[tuple[int, str, object]]:
    """Yield for each change, and each of its fields, a value that it has not."""
    for number, change in enumerate(changes_of(json.loads(CONTENT))):
        yield number, "action", Action.CONFLICT
        yield number, "risk", next(risk for risk in Risk if risk != change["risk"])
        for field in ("note", "key"):
            yield number, field, change[field] + "."
        for field, other in (("before", "after"), ("after", "before")):
            yield number, field, None if change[field] else change[other]


@pytest.mark.parametrize(
    ("number", "field", "value"),
    [
        pytest.param(*edit, id=f"{edit[1]}-{CHANGES[edit[0]].kind}-{edit[0]}")
        for edit in edits_of_changes()
    ],
)
def test_a_change_of_a_change_is_seen_although_it_is_sealed_again(
    number: int, field: str, value: object
) -> None:
    def other(raw: Raw) -> None:
        changes_of(raw)[number][field] = value

    content = edit(CONTENT, other, SCENE.vault)
    assert content != CONTENT
    assert refuse(SCENE, content).changes


def test_another_cause_is_seen_where_it_is_not_a_matter_of_roaming() -> None:
    numbers = [number for number, change in enumerate(CHANGES) if change.kind != "peer"]
    for number in numbers:

        def other(raw: Raw, number: int = number) -> None:
            change = changes_of(raw)[number]
            change["cause"] = next(cause for cause in Cause if cause != change["cause"])

        assert refuse(SCENE, edit(CONTENT, other, SCENE.vault)).changes
        assert facts_of(refuse(SCENE, edit(CONTENT, other))) == ["seal"]


def test_an_added_change_is_seen_although_it_is_sealed_again() -> None:
    def add(raw: Raw) -> None:
        added = copy.deepcopy(changes_of(raw)[0])
        added.update(kind="route", key="10.99.0.0/16 metric 1", action="delete")
        added["before"] = {"destination": "10.99.0.0/16", "metric": 1, "protocol": 4}
        added["before"]["type"] = "unicast"
        added["after"] = None
        changes_of(raw).append(added)

    [other] = refuse(SCENE, edit(CONTENT, add, SCENE.vault)).changes
    assert (other.key, other.now) == ("10.99.0.0/16 metric 1", None)


def test_another_digest_is_refused_without_looking_at_any_host() -> None:
    content = edit(CONTENT, lambda raw: raw["plan"].update(digest="0" * 64), SCENE.vault)
    right = open_content(CONTENT).saved.plan.digest
    with pytest.raises(Problems) as refused:
        open_content(content)
    assert str(refused.value) == (
        f"p.json: plan.digest '{'0' * 64}': is not the desired state's digest, which is {right}:"
        " plan again"
    )


def test_a_permission_that_nobody_gave_is_no_permission() -> None:
    content = edit(CONTENT, lambda raw: raw.update(allowMassDelete=True))
    assert facts_of(refuse(SCENE, content)) == ["seal"]


def test_another_spelling_of_the_same_is_the_same() -> None:
    scene, content = drifted()
    turned = dict(reversed(json.loads(content).items()))
    spelt = json.dumps(turned, indent=7).encode()
    assert spelt != content
    assert apply_content(scene, spelt).done


def leaves(node: object, path: Path = ()) -> Iterator[Path]:
    match node:
        case dict():
            for key, item in node.items():
                yield from leaves(item, (*path, key))
        case list():
            for number, item in enumerate(node):
                yield from leaves(item, (*path, number))
        case _:
            yield path


def find_leaves() -> list[Path]:
    found: list[Path] = []
    edit(CONTENT, lambda raw: found.extend(leaves(raw)))
    return found


LEAVES = find_leaves()
OTHERS: tuple[Callable[[Any], Any], ...] = (
    lambda _: None,
    lambda value: f"{value}x",
    lambda value: not value if isinstance(value, bool) else 7,
    lambda value: value[:-1] if isinstance(value, str) else [],
)


@given(path=st.sampled_from(LEAVES), other=st.sampled_from(OTHERS))
@settings(max_examples=examples(50))
def test_whatever_is_edited_nothing_is_written(path: Path, other: Callable[[Any], Any]) -> None:
    def act(raw: Any) -> None:  # noqa: ANN401 - JSON
        for step in path[:-1]:
            raw = raw[step]
        raw[path[-1]] = other(raw[path[-1]])

    content = edit(CONTENT, act)
    if content == CONTENT:
        return
    before = dump_all(SCENE.host)
    SCENE.writes()
    with pytest.raises((Stale, Problems)):
        apply_content(SCENE, content)
    assert SCENE.writes() == []
    assert dump_all(SCENE.host) == before
