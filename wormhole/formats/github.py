"""Findings to GitHub's workflow commands: an annotation for each, beside the line at fault.

The form and its escapes are those of actions/toolkit, ``packages/core/src/command.ts``: in the
message percent signs and line ends, in a property colons and commas too.
"""

from pathlib import Path
from typing import Final

from schemas.problems import neutralise
from wormhole.formats.finding import Finding, Findings, Severity
from wormhole.formats.places import find_inside

_COMMANDS: Final = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.NOTE: "notice",
}
_DATA: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY: Final = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def describe_annotations(found: Findings, root: Path) -> str:
    """Return a command a line, and nothing that GitHub would take for another; empty for none.

    It shows annotations of files below the root of the checkout only, by their paths from there.
    """
    return "\n".join(_spell(each, root) for each in found.findings)


def _spell(finding: Finding, root: Path) -> str:
    named = "" if finding.file == "-" else finding.file
    properties = {
        "file": (find_inside(named, root) or named) if named else "",
        "line": str(finding.line) if named and finding.line else "",
        "title": f"wormhole {finding.rule}",
    }
    given = ",".join(
        f"{name}={neutralise(value).translate(_PROPERTY)}"
        for name, value in properties.items()
        if value
    )
    text = "\n".join(map(neutralise, (finding.message, *finding.notes)))
    return f"::{_COMMANDS[finding.severity]} {given}::{text.translate(_DATA)}"
