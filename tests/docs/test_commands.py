"""Every command line in the documentation is one that the program takes."""

import argparse
import re
import shlex
from collections.abc import Iterator

import pytest
from pages import PAGES, ROOT, shell_lines, spans

from wormhole.__main__ import build_parser
from wormhole.commands import COMMANDS, load_command

SYNOPSIS = re.compile(r"[\[\]|…]|\.\.\.")
"""What no shell would take: a line that says what a command takes in general."""

RUNNERS = "(?:sudo|kubectl|ctr)"
"""What runs the program for somebody: its line ends with the program's own."""


def quoted() -> Iterator[tuple[str, str]]:
    """Yield each line that runs the program, with its page, also within a container."""
    for page in PAGES:
        for line in shell_lines(page):
            found = re.search(rf"^\s*(?:{RUNNERS} .* )?wormhole (\S.*)$", line)
            if found:
                yield page, found[1]
        for span in spans(page):
            if span.startswith("wormhole "):
                yield page, span.removeprefix("wormhole ")


LINES = sorted({*quoted()})


def split(line: str) -> list[str]:
    """Return a command's words: up to a comment, a redirection or a pipe."""
    words = shlex.split(line, comments=True)
    ends = [words.index(end) for end in (">", "|", "&&", ";") if end in words]
    return words[: min(ends, default=len(words))]


def test_there_is_something_to_check() -> None:
    assert len(LINES) > 30


@pytest.mark.parametrize(("page", "line"), [each for each in LINES if not SYNOPSIS.search(each[1])])
def test_a_quoted_command_is_taken(
    page: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = split(line)
    if words in ([name] for name in COMMANDS):
        return  # the command is only named
    if words[0] == "COMMAND":
        return  # any of them
    try:
        build_parser().parse_args(words)
    except SystemExit as ended:
        if ended.code:
            pytest.fail(f"{page}: wormhole {line}\n{capsys.readouterr().err}")


@pytest.mark.parametrize(("page", "line"), [each for each in LINES if SYNOPSIS.search(each[1])])
def test_a_synopsis_names_options_that_there_are(page: str, line: str) -> None:
    name = line.split(maxsplit=1)[0]
    assert name in COMMANDS, page
    parser = argparse.ArgumentParser(prog=name)
    load_command(name).configure(parser)
    known = {*re.findall(r"--?[a-z][a-z-]*", parser.format_help())}
    assert {*re.findall(r"(?<![\w-])--?[a-z][a-z-]*", line)} - known == set(), page


@pytest.mark.parametrize("page", PAGES)
def test_kubectl_is_given_folders_and_files_that_there_are(page: str) -> None:
    text = "\n".join([*shell_lines(page), *spans(page)])
    given = re.findall(r"kubectl [^\n]*?(?: -k | -f | --file )(deploy/\S+)", text)
    assert [path for path in given if not (ROOT / path).exists()] == []
