"""YAML text to libyaml's events, and libyaml's complaints to ours."""

from collections.abc import Iterator

import yaml

from compiler.reading import Malformed


def parse_events(text: str) -> Iterator[yaml.Event]:
    """Yield every event of a text.

    PyYAML's own parser never stands in for libyaml: it takes eight times as long.

    Raises:
        Malformed: the text is not YAML, or PyYAML has come without libyaml.

    """
    if not yaml.__with_libyaml__:
        raise Malformed(
            0, "cannot be read: this PyYAML lacks libyaml (install a build that has it)"
        )
    try:
        parser = yaml.CSafeLoader(text)
        while (event := parser.get_event()) is not None:
            yield event
    except yaml.YAMLError as error:
        raise _malformed(error, text) from error


def line_of(event: yaml.Event) -> int:
    """Return the line an event begins in, counted from 1."""
    return event.start_mark.line + 1 if event.start_mark else 0


def _malformed(error: yaml.YAMLError, text: str) -> Malformed:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        line = error.problem_mark.line + 1
        rule = f"is not YAML: {error.problem}{_context(error)}{_hint(error, text, line)}"
        return Malformed(line, rule)
    position = getattr(error, "position", None)  # of a ReaderError, in bytes
    line = text.encode()[:position].count(b"\n") + 1 if isinstance(position, int) else 0
    return Malformed(line, "is not YAML: there is a control character in it")


def _context(error: yaml.MarkedYAMLError) -> str:
    if not error.context:
        return ""
    begun = f" begun in line {error.context_mark.line + 1}" if error.context_mark else ""
    return f", {error.context}{begun}"


def _hint(error: yaml.MarkedYAMLError, text: str, line: int) -> str:
    """Say what is probably behind libyaml's words, for the two mistakes that everybody makes."""
    shown = text.split("\n")[line - 1 : line]
    indent = shown[0][: len(shown[0]) - len(shown[0].lstrip())] if shown else ""
    if "\t" in indent:
        return " (YAML is indented with spaces, never with tabs)"
    if error.problem == "mapping values are not allowed in this context":
        return " (is a text with ': ' in it not in quotes, or the indent wrong?)"
    return ""
