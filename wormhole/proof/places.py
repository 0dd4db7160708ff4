"""A place in documents to its file, line and value, wherever the documents came from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import to_builtins

from review.model.story import Place
from schemas.document import dump, list_documents
from schemas.lines import locate
from schemas.problems import spell_path
from schemas.state import Documents
from schemas.wording import show
from wormhole.files.statefolder import is_state_folder, read_document

_Steps = tuple[str | int, ...]


class Places:
    """Looks into each document once, when it is first asked for."""

    def __init__(self, state: str, documents: Documents) -> None:
        folder = Path(state)
        self._prefix = folder if is_state_folder(folder) else None
        self._documents: Final = list_documents(documents)
        self._values: dict[str, Any] = {}
        self._lines: dict[str, Mapping[_Steps, int]] = {}

    def file_of(self, file: str) -> str:
        """Return a file as the user named it; as it would be called, if it was only compiled."""
        return str(self._prefix / file) if self._prefix is not None else file

    def line_of(self, place: Place) -> int:
        """Return the line of a value, or of what it is missing from."""
        lines, path = self._read_lines(place.file), place.path
        while path and path not in lines:
            path = path[:-1]
        return lines.get(path, 0)

    def line_of_spelt(self, file: str, path: str) -> int:
        """Return the line of a value by its path as people spell it."""
        lines = self._read_lines(file)
        return next((line for steps, line in lines.items() if spell_path(steps) == path), 0)

    def _read_lines(self, file: str) -> Mapping[_Steps, int]:
        if file not in self._lines:
            content = (
                dump(self._documents[file])
                if self._prefix is None
                else read_document(self._prefix / file)
            )
            self._lines[file] = dict(locate(content.decode()))
        return self._lines[file]

    def value_of(self, place: Place) -> str:
        """Return what stands there; empty for a list, a mapping, and for what is not there."""
        if place.file not in self._values:
            self._values[place.file] = to_builtins(self._documents[place.file])
        value = self._values[place.file]
        for step in place.path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return ""
        return "" if isinstance(value, dict | list | tuple) else show(value)
