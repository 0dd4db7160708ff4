"""Findings to the JSON document of ``schemas/findings.schema.json``."""

import json

from schemas.problems import neutralise
from schemas.state import API_VERSION
from wormhole.formats.finding import Finding, Findings


def dump_findings(found: Findings) -> str:
    """Return the document, indented."""
    document = {
        "apiVersion": API_VERSION,
        "kind": "Findings",
        "command": found.command,
        "summary": found.summary,
        "findings": [_describe(each) for each in found.findings],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _describe(finding: Finding) -> dict[str, object]:
    fields: dict[str, object] = {
        "severity": str(finding.severity),
        "rule": finding.rule,
        "file": neutralise(finding.file),
        "line": finding.line,
        "message": neutralise(finding.message),
        "notes": [*map(neutralise, finding.notes)],
    }
    return {name: value for name, value in fields.items() if value or name == "message"}
