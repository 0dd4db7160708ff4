"""Findings to SARIF 2.1.0 (OASIS, 27 March 2020): what code scanning services read."""

import json
import os
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from schemas.problems import neutralise
from wormhole import __version__
from wormhole.formats.finding import Finding, Findings, Rule

_SCHEMA: Final = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_ROOT: Final = "%SRCROOT%"
"""By custom the top of the repository; whoever reads the log knows where that is."""


def dump_sarif(found: Findings, folder: Path) -> str:
    """Return a log with one run. Files are named relative to a folder, where they lie in it."""
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
        "results": [_describe_result(each, places, folder) for each in found.findings],
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False)


def _describe_rule(rule: Rule) -> dict[str, Any]:
    return {"id": rule.id, "shortDescription": {"text": rule.summary}}


def _describe_result(finding: Finding, places: dict[str, int], folder: Path) -> dict[str, Any]:
    text = "\n".join(map(neutralise, (finding.message, *finding.notes)))
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": places[finding.rule],
        "level": str(finding.severity),
        "message": {"text": _escape_placeholders(text)},
    }
    if finding.file not in ("", "-"):
        result["locations"] = [{"physicalLocation": _describe_place(finding, folder)}]
    return result


def _escape_placeholders(text: str) -> str:
    """Double the braces: in a message ``{0}`` stands for an argument (section 3.11.5).

    And escape brackets, which would embed a link (section 3.11.6).
    """
    for char, spelt in (("\\", "\\\\"), ("[", "\\["), ("]", "\\]"), ("{", "{{"), ("}", "}}")):
        text = text.replace(char, spelt)
    return text


def _describe_place(finding: Finding, folder: Path) -> dict[str, Any]:
    path = Path(finding.file)
    inside = _find_relative(path, folder)
    artifact = (
        {"uri": path.absolute().as_uri()}
        if inside is None
        else {"uri": quote(inside.as_posix()), "uriBaseId": _ROOT}
    )
    place: dict[str, Any] = {"artifactLocation": artifact}
    if finding.line:
        place["region"] = {"startLine": finding.line}
    return place


def _find_relative(path: Path, folder: Path) -> Path | None:
    """Return a file's path as seen from a folder; None when it lies elsewhere."""
    normal = Path(os.path.normpath(folder / path))
    return normal.relative_to(folder) if normal.is_relative_to(folder) else None
