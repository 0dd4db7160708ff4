"""What is wrong with an input, said so that its author can find and mend it."""

import re
from collections.abc import Iterable
from typing import Final, Self

from schemas.state import Value

_PLAIN_STEP: Final = re.compile(r"[A-Za-z0-9_-]+")


def neutralise(text: str) -> str:
    """Spell out what a terminal would obey rather than show, and what would begin a new line.

    Names of files and fields are given by whoever wrote them: an escape sequence in one could wipe
    the error that names it, a line break could forge another, and a bidirectional override could
    turn it round. ``str.isprintable`` knows all of them, by Unicode's categories.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


class Problem(Value, frozen=True, kw_only=True, order=True):
    """One thing wrong: where it stands, what it is, and the rule it breaks."""

    file: str = ""
    line: int = 0
    """Counted from 1; 0 when the place has no line (a missing file, a whole folder)."""
    object: str = ""
    """``Kind/name``, such as ``MeshNode/node-a``."""
    path: str = ""
    """The field, such as ``spec.podCIDRs[0]``."""
    value: str = ""
    rule: str

    def __str__(self) -> str:
        place = ":".join(part for part in (self.file, str(self.line) if self.line else "") if part)
        subject = " ".join(part for part in (self.object, self.path) if part)
        shown = f" {self.value!r}" if self.value else ""
        parts = (place, f"{subject}{shown}".strip(), self.rule)
        return neutralise(": ".join(part for part in parts if part))


class Problems(Exception):  # noqa: N818 - the plural says what is inside
    """Everything wrong with an input, at once. The author of the input must act."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))

    @classmethod
    def one(cls, rule: str, *, file: str = "", path: str = "", value: str = "") -> Self:
        """Build the exception for a single problem."""
        return cls([Problem(file=file, path=path, value=value, rule=rule)])


def spell_path(path: Iterable[str | int]) -> str:
    """Spell a path as people do: ``spec.podCIDRs[0]``, and ``labels["a.b/c"]`` for odd keys."""
    spelt = ""
    for step in path:
        if isinstance(step, int):
            spelt += f"[{step}]"
        elif _PLAIN_STEP.fullmatch(step):
            spelt += f".{step}" if spelt else step
        else:
            spelt += f'["{step}"]'
    return spelt
