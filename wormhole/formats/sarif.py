"""Findings to SARIF 2.1.0 (OASIS, 27 March 2020): what code scanning services read."""

import json
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from schemas.problems import neutralise
from wormhole import __version__
from wormhole.formats.finding import Finding, Findings, Rule
from wormhole.formats.places import find_inside

_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_ROOT: Final = "%SRCROOT%"
"""By custom the top of the repository; whoever reads the log knows where that is."""


def dump_sarif(found: Findings, root: Path) -> str:
    """Return a log with one run. Files below the root are named relative to it."""
    rules = sorted(found.rules, key=lambda rule: rule.id)
    places = {rule.id: index for index, rule in enumerate(rules)}
    run = {
        "tool": {
            "driver": {
                "name": f"wormhole {found.command}",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_describe_rule(rule) for rule in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_describe_result(each, places, root) for each in found.findings],
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False)


def _describe_rule(rule: Rule) -> dict[str, Any]:
    return {"id": rule.id, "shortDescription": {"text": rule.summary}}


def _describe_result(finding: Finding, places: dict[str, int], root: Path) -> dict[str, Any]:
    text = "\n".join(map(neutralise, (finding.message, *finding.notes)))
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": places[finding.rule],
        "level": str(finding.severity),
        "message": {"text": _escape(text)},
    }
    if finding.file not in ("", "-"):
        result["locations"] = [{"physicalLocation": _describe_place(finding, root)}]
    return result


def _escape(text: str) -> str:
    """Double braces, between which an argument's number may stand (section 3.11.5).

    And mark the brackets of what would be a link (section 3.11.6): names are given by anybody.
    """
    text = text.replace("{", "{{").replace("}", "}}")
    if "](" not in text:
        return text
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _describe_place(finding: Finding, root: Path) -> dict[str, Any]:
    inside = find_inside(finding.file, root)
    artifact = (
        {"uri": Path(finding.file).absolute().as_uri()}
        if inside is None
        else {"uri": quote(inside), "uriBaseId": _ROOT}
    )
    place: dict[str, Any] = {"artifactLocation": artifact}
    if finding.line:
        place["region"] = {"startLine": finding.line}
    return place
