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
        return Malformed(line, f"is not YAML: {_explain(error, text, line)}")
    position = getattr(error, "position", None)  # of a ReaderError, in bytes
    line = text.encode()[:position].count(b"\n") + 1 if isinstance(position, int) else 0
    return Malformed(line, "is not YAML: there is a control character in it")


def _explain(error: yaml.MarkedYAMLError, text: str, line: int) -> str:
    """Put libyaml's words in order; say what is behind them for the mistakes everybody makes."""
    lines = text.split("\n")
    shown = lines[line - 1] if line <= len(lines) else ""
    if "\t" in shown[: len(shown) - len(shown.lstrip())]:
        return "a tab in the indent (YAML is indented with spaces only)"
    if error.problem == "mapping values are not allowed in this context":
        return "a second ':' (is the indent wrong, or a text that holds ': ' without quotes?)"
    if not error.context or not error.context_mark or error.context_mark.line + 1 == line:
        return str(error.problem)
    return f"{error.problem}, {error.context} begun in line {error.context_mark.line + 1}"
