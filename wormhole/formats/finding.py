"""What a check found, in one small value that every format prints."""

from enum import StrEnum

from schemas.state import Value


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    """``schemas/findings.schema.json``."""
    SARIF = "sarif"
    """Version 2.1.0 of the Static Analysis Results Interchange Format, an OASIS standard."""
    GITHUB = "github"
    """Workflow commands, which GitHub turns into annotations of a pull request's lines."""


class Severity(StrEnum):
    """How bad it is, in SARIF's words for its levels, which GitHub's extend."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Rule(Value, frozen=True, kw_only=True):
    """What was broken, whoever broke it."""

    id: str
    """Words with dashes, such as ``no-endpoint``. Others filter by it, so it never changes."""
    summary: str
    """One sentence, without a full stop."""


class Finding(Value, frozen=True, kw_only=True):
    """One thing found."""

    severity: Severity
    file: str = ""
    """As the user named it; empty when it is about no file."""
    line: int = 0
    """Counted from 1; 0 when the place has no line."""
    rule: str
    """The id of a :class:`Rule`."""
    message: str
    """One line. It need not repeat the place."""
    notes: tuple[str, ...] = ()
    """More lines, such as the hops of a counter-example."""


class Findings(Value, frozen=True, kw_only=True):
    """Everything that one run of a command found."""

    command: str
    """Such as ``validate``."""
    summary: str
    """The last line: what was looked at, or how much is wrong with it."""
    findings: tuple[Finding, ...] = ()
    rules: tuple[Rule, ...] = ()
    """At least those that the findings name."""
