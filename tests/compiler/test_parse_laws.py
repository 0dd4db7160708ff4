"""What holds for any inventory: its order says nothing, and nothing but Problems ever comes out."""

import json
import random
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from compiler.inventory import Inventory
from compiler.parse import parse
from compiler.source import Source
from schemas.problems import Problem, Problems

pytestmark = pytest.mark.law

CASES = Path(__file__).parents[2] / "fixtures" / "invalid"
KEYS = [
    "zE4iLxHuYgRz+RmFHG2ePr1ma4hrSINg0INH5OItb0o=",
    "arnx6499M4j0+dWG9m6Z/VQIDfLERvDlhmiwnAihbdA=",
    "9CFJmPD5uzBCUWVv8NWKlGaQyuMjMqXcNSYjqhNLNnU=",
]


def objects_of(count: int) -> list[dict[str, object]]:
    api = "wormhole.dev/v1alpha1"
    spec = {"overlayCIDRs": ["fd00:244::/48", "10.244.0.0/16"]}
    objects = [{"apiVersion": api, "kind": "Mesh", "metadata": {"name": "demo"}, "spec": spec}]
    for index in range(count):
        metadata = {"name": f"node-{index}"}
        own = {"publicKey": KEYS[index], "podCIDRs": [f"10.244.{index}.0/24"]}
        core = {"addresses": [{"type": "InternalIP", "address": f"192.0.2.{index}"}]}
        objects.append({"apiVersion": api, "kind": "MeshNode", "metadata": metadata, "spec": own})
        objects.append({"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": core})
    return objects


def without_places(inventory: Inventory) -> Inventory:
    return msgspec.structs.replace(
        inventory,
        warnings=tuple(sorted(map(without_place, inventory.warnings))),
    )


def without_place(problem: Problem) -> Problem:
    return msgspec.structs.replace(problem, file="", line=0)


def outcome(sources: list[Source]) -> Inventory | tuple[Problem, ...]:
    """Parse; whatever is raised but Problems fails the test."""
    try:
        return without_places(parse(sources))
    except Problems as problems:
        return tuple(sorted(map(without_place, problems.problems)))


@given(st.permutations(objects_of(3)), st.integers(0, 7), st.sampled_from(["json", "yaml"]))
def test_order_of_objects_and_sources_says_nothing(
    objects: list[dict[str, object]], cut: int, syntax: str
) -> None:
    texts = [
        "\n".join(map(json.dumps, part)) if syntax == "json" else yaml.safe_dump_all(part)
        for part in (objects[:cut], objects[cut:])
    ]
    sources = [Source(name=f"{index}", text=text) for index, text in enumerate(texts)]
    expected = outcome([Source(name="-", text="\n".join(map(json.dumps, objects_of(3))))])
    assert isinstance(expected, Inventory)
    assert outcome(sources) == expected


@given(st.randoms(use_true_random=False), st.sampled_from(sorted(CASES.iterdir())))
def test_order_of_documents_says_nothing_about_what_is_wrong(
    shuffler: random.Random, case: Path
) -> None:
    inventory = case / "inventory.yaml"
    if not inventory.exists():
        return
    text = inventory.read_text(encoding="utf-8")
    documents = text.split("---\n")
    before = outcome([Source(name="-", text=text)])
    if isinstance(before, tuple) and any(":" in problem.rule for problem in before):
        return  # a rule that names a place, or a text that does not parse, depends on the order
    shuffler.shuffle(documents)
    assert outcome([Source(name="-", text="---\n".join(documents))]) == before


@given(st.text(st.characters(codec=None), max_size=60), st.sampled_from(["-", "x.json", "x.yaml"]))
def test_any_text_parses_or_raises_problems(text: str, name: str) -> None:
    outcome([Source(name=name, text=text)])


@given(st.text("{}[]:,\"'\n\t -&*!<>|#?%@`\\aox019.~=eE+", max_size=80))
def test_any_punctuation_parses_or_raises_problems(text: str) -> None:
    for name in ("x.json", "x.yaml"):
        outcome([Source(name=name, text=text)])


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.data())
def test_any_value_anywhere_parses_or_raises_problems(data: st.DataObject) -> None:
    objects = objects_of(2)
    place: object = objects
    while isinstance(place, dict | list) and place:
        step = data.draw(
            st.sampled_from(list(place) if isinstance(place, dict) else range(len(place)))
        )
        inner = place[step]
        if not isinstance(inner, dict | list) or data.draw(st.booleans()):
            place[step] = data.draw(TREES)
            break
        place = inner
    text = "\n".join(map(json.dumps, objects))
    outcome([Source(name="-", text=text)])
    outcome([Source(name="-", text=yaml.safe_dump_all(objects))])


@given(st.sampled_from(sorted(CASES.glob("*/*.*"))), st.data())
def test_any_damaged_inventory_parses_or_raises_problems(path: Path, data: st.DataObject) -> None:
    text = path.read_text(encoding="utf-8")
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 20)))
    junk = data.draw(st.text(max_size=4))
    outcome([Source(name=path.name, text=text[:start] + junk + text[end:])])


@given(st.sampled_from(sorted(CASES.iterdir())))
def test_every_problem_names_a_line_that_exists(case: Path) -> None:
    inputs = [path for path in case.iterdir() if path.name != "errors.txt"]
    sources = [Source(name=path.name, text=path.read_text(encoding="utf-8")) for path in inputs]
    with pytest.raises(Problems) as caught:
        parse(sources)
    lengths = {source.name: len(source.text.split("\n")) for source in sources}
    for problem in caught.value.problems:
        assert 0 <= problem.line <= lengths.get(problem.file, 0)
