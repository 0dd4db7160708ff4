"""Print findings in the format that was asked for: to people, or to whatever reads the output."""

import sys

from schemas.problems import neutralise
from wormhole.console import Paint, choose_paint, err, out, out_json
from wormhole.formats.finding import Finding, Findings, Format, Severity
from wormhole.formats.places import find_root


def print_findings(found: Findings, wanted: str, color: str) -> None:
    """Print findings, and the summary.

    As text, findings go to standard error and the summary to standard output. In the other formats
    standard output gets the whole document; GitHub's has no place for a summary, which then goes to
    standard error.
    """
    match Format(wanted):
        case Format.TEXT:
            _print_text(found.findings, choose_paint(color, sys.stderr))
            out(found.summary)
        case Format.JSON:
            from wormhole.formats.document import dump_findings  # noqa: PLC0415 - brings json

            out_json(dump_findings(found))
        case Format.SARIF:
            from wormhole.formats.sarif import dump_sarif  # noqa: PLC0415 - as above

            out_json(dump_sarif(found, find_root()))
        case Format.GITHUB:
            from wormhole.formats.github import describe_annotations  # noqa: PLC0415 - asked for

            if text := describe_annotations(found, find_root()):
                out(text)
            err(found.summary)


def describe_finding(finding: Finding, paint: Paint) -> str:
    """Return ``error: mesh.json:12: ...``, and its notes below, indented."""
    place = ":".join(filter(None, (finding.file, str(finding.line) if finding.line else "")))
    text = ": ".join(neutralise(part) for part in (place, finding.message) if part)
    style = "warning" if finding.severity is Severity.NOTE else str(finding.severity)
    first = f"{paint(style, str(finding.severity))}: {text}"
    return "\n".join([first, *(f"  {neutralise(note)}" for note in finding.notes)])


def _print_text(findings: tuple[Finding, ...], paint: Paint) -> None:
    for finding in findings:
        err(describe_finding(finding, paint))
