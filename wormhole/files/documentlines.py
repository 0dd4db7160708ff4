"""A state folder to the line on which each value of its documents begins."""

from pathlib import Path
from typing import Final

from review.model.story import Place
from schemas.lines import locate
from wormhole.files.statefolder import read_document

_Lines = dict[tuple[str | int, ...], int]


class DocumentLines:
    """Looks into each document once, when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder
        self._known: Final[dict[str, _Lines]] = {}

    def find(self, place: Place) -> int:
        """Return the line of a value; of what it is missing from, where it is not there."""
        if place.file not in self._known:
            text = read_document(self._folder / place.file).decode()
            self._known[place.file] = dict(locate(text))
        lines, path = self._known[place.file], place.path
        while path and path not in lines:
            path = path[:-1]
        return lines.get(path, 0)

    def spell(self, place: Place) -> str:
        """Return ``file:line``, as editors open it; without a line where there is none."""
        line = self.find(place)
        file = str(self._folder / place.file)
        return f"{file}:{line}" if line else file
