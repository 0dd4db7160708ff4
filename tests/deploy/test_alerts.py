"""The alerts ask for metrics and labels that there are, and each has a remedy."""

import re
from typing import Any, Final

import promql_parser
import pytest
from manifests import DEPLOY, build, one, read
from pages import first_column, read_page, section

RULES: Final[list[dict[str, Any]]] = [
    rule
    for found in build("alerts")
    for group in found["spec"]["groups"]
    for rule in group["rules"]
]
NAMES = [rule["alert"] for rule in RULES]
SCRAPED: Final = {"node", "job", "instance", "namespace", "pod", "container"}
"""Labels that every series gets when it is scraped as deploy/components/podmonitor says."""
COUNTED: Final = {"increase", "rate"}


def metrics() -> dict[str, tuple[str, set[str]]]:
    """Return type and labels of each metric: docs/metrics.md, which tests hold to the code."""
    row = re.compile(r"^\| `(wormhole_\w+)(?:\{([a-z,]+)\})?` \| (\w+) \|", re.MULTILINE)
    found = row.findall(read_page("docs/metrics.md"))
    known = {name: (kind, set(filter(None, labels.split(",")))) for name, labels, kind in found}
    return known | {"up": ("gauge", set())}


def dissect(text: str) -> tuple[list[Any], list[Any], list[Any]]:
    """Return an expression's selectors, its calls, and its aggregations; raises if it is none."""
    selectors, calls, sums = [], [], []

    def visit(found: Any) -> bool:  # noqa: ANN401 - the library's own
        if isinstance(found, promql_parser.VectorSelector):
            selectors.append(found)
        elif isinstance(found, promql_parser.Call):
            calls.append(found)
        elif isinstance(found, promql_parser.AggregateExpr):
            sums.append(found)
        return True

    promql_parser.walk(promql_parser.parse(text), visit)
    return selectors, calls, sums


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_an_alert_asks_for_metrics_that_there_are(rule: dict[str, Any]) -> None:
    selectors, _, _ = dissect(rule["expr"])
    assert selectors != []
    assert {each.name for each in selectors} - metrics().keys() == set()


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_an_alert_counts_only_what_grows(rule: dict[str, Any]) -> None:
    _, calls, _ = dissect(rule["expr"])
    counted = {
        each.name
        for call in calls
        if call.func.name in COUNTED
        for argument in call.args
        for each in dissect(str(argument))[0]
    }
    every = {each.name for each in dissect(rule["expr"])[0]}
    kinds = metrics()
    assert {name for name in counted if kinds[name][0] != "counter"} == set()
    assert {name for name in every - counted if kinds[name][0] == "counter"} == set()


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_an_alert_knows_its_labels(rule: dict[str, Any]) -> None:
    selectors, _, sums = dissect(rule["expr"])
    known = SCRAPED.union(*(metrics()[each.name][1] for each in selectors))
    grouped = [label for each in sums if each.modifier for label in each.modifier.labels]
    matched = [matcher.name for each in selectors for matcher in each.matchers.matchers]
    shown = re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])
    assert {*grouped, *matched, *shown} - known == set()
    if sums:
        assert {*shown} - {*grouped} == set()


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_an_alert_is_complete(rule: dict[str, Any]) -> None:
    assert {*rule} - {"for"} == {"alert", "expr", "labels", "annotations"}
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in {"info", "warning", "critical"}
    assert re.fullmatch(r"[A-Z{].*\.", rule["annotations"]["summary"])


def test_every_alert_has_a_remedy_and_there_are_no_others() -> None:
    told = first_column(section("docs/operate.md", "Alerts"))
    assert sorted(name for name in told if name.startswith("Wormhole")) == sorted(NAMES)


def test_what_is_scraped_is_called_what_the_alerts_call_it() -> None:
    [monitor] = read(DEPLOY / "components/podmonitor/podmonitor.yaml")
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    labels = {each["targetLabel"] for each in endpoint["relabelings"]}
    assert labels == {"node"}
    # The operator's own: the job is the monitor, by namespace and name.
    job = f"{monitor['metadata']['namespace']}/{monitor['metadata']['name']}"
    jobs = {
        matcher.value
        for rule in RULES
        for each in dissect(rule["expr"])[0]
        for matcher in each.matchers.matchers
        if matcher.name == "job"
    }
    assert jobs == {job}


def test_every_file_of_alerts_is_a_rule_of_the_operator() -> None:
    files = {path for path in (DEPLOY / "alerts").iterdir() if path.name != "kustomization.yaml"}
    for path in files:
        [found] = read(path)
        assert one(build("alerts"), "PrometheusRule", found["metadata"]["name"]) == found
