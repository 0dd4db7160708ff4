"""A problem is one line of text, whatever the names in it are made of."""

from typing import Any

import pytest

from schemas.problems import Problem, Problems, spell_path

NASTY = "a\x1b[2Jb\nc\x9bd\u202ee\x7ff\udcffg\u2028h"
SHOWN = r"a\x1b[2Jb\nc\x9bd\u202ee\x7ff\udcffg\u2028h"


@pytest.mark.parametrize("field", ["file", "object", "path", "rule"])
def test_no_part_of_a_problem_reaches_a_terminal_as_a_command(field: str) -> None:
    parts: dict[str, Any] = {
        "file": "x.yaml",
        "object": "Mesh/demo",
        "path": "spec",
        "rule": "is wrong",
    }

    said = str(Problem(**{**parts, field: NASTY}))

    assert said.isprintable()
    assert SHOWN in said


def test_a_problem_s_value_is_spelled_out_once() -> None:
    problem = Problem(path="spec.x", value="\x1b\\", rule="is wrong")

    assert str(problem) == r"spec.x '\x1b\\': is wrong"


def test_letters_of_all_scripts_are_shown_as_they_are() -> None:
    problem = Problem(file="größe/日本.yaml", path='spec["größe"]', rule="is wrong … “so”")

    assert str(problem) == 'größe/日本.yaml: spec["größe"]: is wrong … “so”'


def test_problems_are_a_line_each() -> None:
    problems = Problems([Problem(file="b\nerror: c", rule="no"), Problem(file="a", rule="no")])

    assert str(problems) == "a: no\nb\\nerror: c: no"


@pytest.mark.parametrize(
    ("path", "spelt"),
    [
        ((), ""),
        (("spec", "podCIDRs", 0), "spec.podCIDRs[0]"),
        (("metadata", "labels", "a.b/c"), 'metadata.labels["a.b/c"]'),
        (("peerGroups", "mesh", "node-a"), "peerGroups.mesh.node-a"),
        (("peerGroups", "mesh", "a.b", "endpoint"), 'peerGroups.mesh["a.b"].endpoint'),
        ((0, "a"), "[0].a"),
    ],
)
def test_paths_are_spelt_as_people_do(path: tuple[str | int, ...], spelt: str) -> None:
    assert spell_path(path) == spelt
