"""Turn the documentation's pages into what can be true or false in them: commands, names, links."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = tuple(
    str(path.relative_to(ROOT))
    for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))
)

_FENCE: Final = re.compile(r"^( *)```([a-z]*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_SPAN: Final = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_SHELL: Final = ("", "sh", "console")


@cache
def read_page(page: str) -> str:
    """Return the text of a page, by its path below the root."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """Return the fenced blocks of a language, without the indentation that lists give them."""
    return [text for found, text in _read_blocks(page) if found == language]


def spans(page: str) -> list[str]:
    """Return what is written as code within sentences, each on one line."""
    prose = _FENCE.sub("", read_page(page))
    return [" ".join(span.replace("\\|", "|").split()) for span in _SPAN.findall(prose)]


def shell_lines(page: str) -> list[str]:
    """Return the lines of blocks that a shell could run; in a ``console`` those after ``$``."""
    lines: list[str] = []
    for language, text in _read_blocks(page):
        if language == "console":
            lines += re.findall(r"^\$ (.*)$", text, re.MULTILINE)
        elif language in _SHELL:
            lines += text.splitlines()
    return lines


def section(page: str, title: str) -> str:
    """Return what stands below a heading, up to the next of its level."""
    text = _FENCE.sub("", read_page(page))
    found = re.search(
        rf"^(#+) {re.escape(title)}\n(.*?)(?=^\1 |\Z)", text, re.DOTALL | re.MULTILINE
    )
    if found is None:
        raise LookupError(f"{page} has no section {title!r}")
    return found[2]


def first_column(text: str) -> list[str]:
    """Return the code in the first cell of each row of a text's tables."""
    rows = re.findall(r"^\|(.*?)(?<!\\)\|", text, re.MULTILINE)
    return [span for row in rows for span in _SPAN.findall(row)]


def headings(page: str) -> set[str]:
    """Return the anchors of a page, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", _FENCE.sub("", read_page(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def links(page: str) -> list[str]:
    """Return where a page's links lead, those within the repository."""
    found = re.findall(r"\]\(([^)\s]+)\)", _FENCE.sub("", read_page(page)))
    return [link for link in found if "://" not in link]


def _read_blocks(page: str) -> Iterator[tuple[str, str]]:
    for indent, language, text in _FENCE.findall(read_page(page)):
        yield language, re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)
