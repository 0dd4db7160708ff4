"""Every sentence that the checks say belongs to a rule whose id does not change."""

import re
from pathlib import Path

import pytest

from compiler.parse import parse
from compiler.source import Source
from schemas.problems import Problem, Problems
from wormhole.formats.finding import Finding, Severity
from wormhole.formats.rules import build_finding, find_rule, list_rules

INVALID = Path(__file__).parents[3] / "fixtures/invalid"
CLUSTERS = Path(__file__).parents[3] / "fixtures/clusters"
PLAIN = re.compile(
    r"must (be|have|not be empty|not exceed)|its port|ends in ':'|could be an address|the length"
)
"""What a value may be, said in many ways: one rule."""


def problems_of(case: str) -> tuple[Problem, ...]:
    files = [path for path in (INVALID / case).iterdir() if path.name != "errors.txt"]
    with pytest.raises(Problems) as caught:
        parse([Source(name=path.name, text=path.read_text("utf-8")) for path in sorted(files)])
    return caught.value.problems


@pytest.mark.parametrize("case", sorted(path.name for path in INVALID.iterdir()))
def test_every_problem_of_the_fixtures_has_a_rule(case: str) -> None:
    for problem in problems_of(case):
        rule = find_rule(problem, Severity.ERROR).id
        assert rule != "invalid-value" or bool(PLAIN.match(problem.rule)), problem


@pytest.mark.parametrize(
    "file", sorted(CLUSTERS.glob("*/warnings.txt")), ids=lambda file: file.parent.name
)
def test_every_warning_of_the_fixtures_has_a_rule(file: Path) -> None:
    inputs = [each for each in file.parent.iterdir() if each.suffix in (".yaml", ".json")]
    found = parse([Source(name=each.name, text=each.read_text("utf-8")) for each in inputs])
    rules = {find_rule(warning, Severity.WARNING).id for warning in found.warnings}
    assert (len(found.warnings) > 0, "remark" in rules) == (True, False)


@pytest.mark.parametrize(
    ("case", "rule"),
    [
        ("endpoint-used-twice", "shared-endpoint"),
        ("key-shared", "shared-key"),
        ("pod-cidr-overlaps-another", "overlapping-prefixes"),
        ("secret-in-inventory", "secret"),
        ("yaml-tab-indent", "syntax"),
        ("mtu-too-small-for-ipv6", "mtu"),
        ("pod-cidr-outside-overlay", "outside-overlay"),
    ],
)
def test_a_rule_is_found_by_its_sentence(case: str, rule: str) -> None:
    assert rule in {find_rule(problem, Severity.ERROR).id for problem in problems_of(case)}


def test_the_ids_are_these_and_stay_so() -> None:
    """Whoever filters by one must not lose it: add to this list, take nothing out."""
    assert " ".join(rule.id for rule in list_rules()) == (
        "secret syntax unreadable unknown-field missing-field unknown-kind no-mesh"
        " duplicate-object left-out weak-key shared-key shared-endpoint duplicate-value host-bits"
        " overlay-prefix outside-overlay overlapping-prefixes pod-room endpoint-in-overlay"
        " unreachable-endpoint no-endpoint missing-family unreachable-nodes mtu same-device"
        " guard-route wrong-mesh foreign-address not-canonical invalid-value remark"
    )


def test_a_finding_says_what_the_problem_says_but_its_place() -> None:
    problem = Problem(
        file="mesh.yaml", line=5, object="Mesh/demo", path="spec.mtu", value="7", rule="is odd"
    )
    assert build_finding(problem, Severity.ERROR) == Finding(
        severity=Severity.ERROR,
        file="mesh.yaml",
        line=5,
        rule="invalid-value",
        message="Mesh/demo spec.mtu '7': is odd",
    )
    assert str(problem) == "mesh.yaml:5: Mesh/demo spec.mtu '7': is odd"
