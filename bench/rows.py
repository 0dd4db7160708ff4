"""The lines of the table: what was measured, against what, and what was asked for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measurement."""

    what: str
    ours: str
    reference: str
    ratio: str
    target: str


_HEADER = Row("what", "wormhole", "reference", "ratio", "asked for")


def spell_table(rows: list[Row]) -> str:
    """Return a Markdown table."""
    lines = [_HEADER, Row("---", "---:", "---:", "---:", "---"), *rows]
    return "\n".join(
        f"| {row.what} | {row.ours} | {row.reference} | {row.ratio} | {row.target} |"
        for row in lines
    )


def spell_seconds(seconds: float) -> str:
    """Return ``12.3 s`` or ``45 ms``."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def spell_ratio(ratio: float, sense: str) -> str:
    """Return ``85 times faster`` or ``1.4 times the time``."""
    return f"{ratio:.0f} {sense}" if ratio >= 10 else f"{ratio:.1f} {sense}"
