"""The same findings for people, for programs, for code scanning and for pull requests."""

import json
from pathlib import Path
from typing import Any

import pytest
from commandline import Wormhole
from hypothesis import given
from hypothesis import strategies as st

from schemas.validate import violations
from wormhole.console import paint_plain
from wormhole.formats.document import dump_findings
from wormhole.formats.finding import Finding, Findings, Rule, Severity
from wormhole.formats.github import describe_annotations
from wormhole.formats.printing import describe_finding, print_findings
from wormhole.formats.sarif import dump_sarif

ROOT = Path("/checkout")
RULES = (Rule(id="no-leak", summary="Nothing leaves in clear"), Rule(id="a-rule", summary="First"))


def finding(**fields: object) -> Finding:
    defaults: dict[str, Any] = {
        "severity": Severity.ERROR,
        "file": "/checkout/state/mesh.json",
        "line": 12,
        "rule": "no-leak",
        "message": "it leaks",
    }
    return Finding(**(defaults | fields))


def findings(*found: Finding) -> Findings:
    return Findings(command="check", summary="1 counter-example", findings=found, rules=RULES)


texts = st.text(max_size=60)
any_findings = st.lists(
    st.builds(
        Finding,
        severity=st.sampled_from(Severity),
        file=st.one_of(st.just(""), st.just("-"), texts.filter(lambda text: "\0" not in text)),
        line=st.integers(0, 10**6),
        rule=st.sampled_from([rule.id for rule in RULES]),
        message=texts,
        notes=st.lists(texts, max_size=3).map(tuple),
    ),
    max_size=5,
).map(lambda found: findings(*found))


# --- text ---


def test_text_is_a_line_and_its_notes() -> None:
    found = finding(notes=("node-a: by eth0", "left in clear"))
    assert describe_finding(found, paint_plain) == (
        "error: /checkout/state/mesh.json:12: it leaks\n  node-a: by eth0\n  left in clear"
    )


@pytest.mark.parametrize("severity", Severity)
def test_every_severity_can_be_painted(
    severity: Severity, capsys: pytest.CaptureFixture[str]
) -> None:
    print_findings(findings(finding(severity=severity, file="", line=0)), "text", "always")
    printed = capsys.readouterr()
    assert printed.out == "1 counter-example\n"
    assert printed.err.endswith("m: it leaks\n")
    assert str(severity) in printed.err


# --- JSON ---


@given(any_findings)
def test_json_is_valid_whatever_was_found(found: Findings) -> None:
    document = json.loads(dump_findings(found))
    assert violations(document, "findings") == ()
    assert len(document["findings"]) == len(found.findings)


def test_json_has_every_field() -> None:
    assert json.loads(dump_findings(findings(finding(notes=("why",))))) == {
        "apiVersion": "wormhole.dev/v1alpha1",
        "kind": "Findings",
        "command": "check",
        "summary": "1 counter-example",
        "findings": [
            {
                "severity": "error",
                "rule": "no-leak",
                "file": "/checkout/state/mesh.json",
                "line": 12,
                "message": "it leaks",
                "notes": ["why"],
            }
        ],
    }


# --- GitHub ---


def test_an_annotation_names_the_file_from_the_top_of_the_checkout() -> None:
    assert describe_annotations(findings(finding()), ROOT) == (
        "::error file=state/mesh.json,line=12,title=wormhole no-leak::it leaks"
    )


@pytest.mark.parametrize(
    ("severity", "command"),
    [(Severity.ERROR, "error"), (Severity.WARNING, "warning"), (Severity.NOTE, "notice")],
)
def test_an_annotation_has_its_severity(severity: Severity, command: str) -> None:
    text = describe_annotations(findings(finding(severity=severity, file="-")), ROOT)
    assert text == f"::{command} title=wormhole no-leak::it leaks"


def test_what_would_end_an_annotation_is_escaped() -> None:
    found = finding(file="/checkout/a,b:c%d", message="100%,\n::error::x", notes=("second",))
    assert describe_annotations(findings(found), ROOT) == (
        "::error file=a%2Cb%3Ac%25d,line=12,title=wormhole no-leak::100%25,\\n::error::x%0Asecond"
    )


@given(any_findings)
def test_every_finding_is_one_command_and_no_other(found: Findings) -> None:
    lines = describe_annotations(found, ROOT).split("\n") if found.findings else []
    assert len(lines) == len(found.findings)
    assert [
        line for line in lines if not line.startswith(("::error ", "::warning ", "::notice "))
    ] == []
    for line in lines:
        properties, _, _ = line[2:].partition("::")
        pairs = [pair.partition("=")[0] for pair in properties.partition(" ")[2].split(",")]
        assert pairs[-1] == "title"
        assert set(pairs) <= {"file", "line", "title"}


# --- SARIF ---


def sarif(*found: Finding) -> dict[str, Any]:
    log = json.loads(dump_sarif(findings(*found), ROOT))
    [run] = log["runs"]
    assert log["version"] == "2.1.0"
    return dict(run)


def test_sarif_names_rule_and_line() -> None:
    run = sarif(finding())
    assert run["tool"]["driver"]["rules"] == [
        {"id": "a-rule", "shortDescription": {"text": "First"}},
        {"id": "no-leak", "shortDescription": {"text": "Nothing leaves in clear"}},
    ]
    assert run["results"] == [
        {
            "ruleId": "no-leak",
            "ruleIndex": 1,
            "level": "error",
            "message": {"text": "it leaks"},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": "state/mesh.json", "uriBaseId": "%SRCROOT%"},
                        "region": {"startLine": 12},
                    }
                }
            ],
        }
    ]


def test_sarif_names_files_elsewhere_by_an_absolute_uri_and_odd_ones_in_percents() -> None:
    run = sarif(finding(file="/else where"), finding(file="/checkout/ä b#c?.json", line=0))
    places = [each["locations"][0]["physicalLocation"] for each in run["results"]]
    assert places == [
        {"artifactLocation": {"uri": "file:///else%20where"}, "region": {"startLine": 12}},
        {"artifactLocation": {"uri": "%C3%A4%20b%23c%3F.json", "uriBaseId": "%SRCROOT%"}},
    ]


def test_sarif_has_no_place_for_standard_input() -> None:
    assert [
        "locations" in each for each in sarif(finding(file="-"), finding(file=""))["results"]
    ] == [
        False,
        False,
    ]


def test_sarif_messages_hold_neither_placeholders_nor_links() -> None:
    run = sarif(finding(message="{0} [x](http://y)"), finding(message="spec.podCIDRs[0] is"))
    assert [each["message"]["text"] for each in run["results"]] == [
        "{{0}} \\[x\\](http://y)",
        "spec.podCIDRs[0] is",
    ]


@given(any_findings)
def test_sarif_is_of_its_form_whatever_was_found(found: Findings) -> None:
    model = pytest.importorskip("pydantic_sarif.model", reason="no pydantic-sarif, with the form")
    text = dump_sarif(found, ROOT)
    log = model.StaticAnalysisResultsFormatSarifVersion210JsonSchema.model_validate_json(text)
    [run] = log.runs
    assert len(run.results) == len(found.findings)
    for result in run.results:
        assert run.tool.driver.rules[result.ruleIndex].id == result.ruleId


# --- the command ---


BROKEN = """\
apiVersion: wormhole.dev/v1alpha1
kind: Mesh
metadata: {name: demo}
spec:
  overlayCIDRs: [10.244.0.1/16]
"""


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github"])
def test_validate_exits_alike_in_every_format(
    form: str, wormhole: Wormhole, tmp_path: Path
) -> None:
    (tmp_path / "mesh.yaml").write_text(BROKEN)
    assert wormhole("validate", "mesh.yaml", "--format", form)[0] == 2


def test_validate_annotates(
    wormhole: Wormhole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/mesh.yaml").write_text(BROKEN)
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    monkeypatch.chdir(tmp_path / "deep")
    _, output, errors = wormhole("validate", "mesh.yaml", "--format", "github")
    assert output == (
        "::error file=deep/mesh.yaml,title=wormhole no-mesh::there is no MeshNode: a mesh has at"
        " least one, of wormhole.dev/v1alpha1\n"
        "::error file=deep/mesh.yaml,line=5,title=wormhole host-bits::Mesh/demo"
        " spec.overlayCIDRs[0] '10.244.0.1/16': has host bits set: the prefix is 10.244.0.0/16\n"
    )
    assert errors == "2 problems in 1 file\n"


def test_validate_tells_programs_that_all_is_well(wormhole: Wormhole, state: Path) -> None:
    code, output, errors = wormhole("validate", str(state), "mesh.yaml", "--format", "json")
    assert (code, errors) == (0, "")
    document = json.loads(output)
    assert (document["summary"], document["findings"]) == (
        "ok: inventory: mesh demo, 2 nodes, 0 warnings; state: mesh demo, 2 hosts, 2 peers",
        [],
    )
