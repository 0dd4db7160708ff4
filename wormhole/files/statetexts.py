"""The documents of a state as text: what each is called, and on which line its values stand."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from review.model.story import Place
from schemas.lines import Path as Steps
from schemas.lines import locate
from schemas.problems import spell_path


class StateTexts:
    """A state's documents, each searched for its lines once, when they are first asked for.

    Documents go by their paths in a state folder (``hosts/node-a.json``), wherever they are.
    """

    def __init__(
        self,
        name: str,
        files: Iterable[str],
        read: Callable[[str], bytes],
        spell_file: Callable[[str], str],
    ) -> None:
        """Take what the user calls the state, its documents, and how to read and to name them."""
        self.name: Final = name
        self.files: Final = tuple(files)
        self.read: Final = read
        """Returns a document's bytes; raises Problems where it cannot be read."""
        self.spell_file: Final = spell_file
        """Returns what the user would call a document: ``HEAD:state/hosts/node-a.json``."""
        self._lines: dict[str, Mapping[Steps, int]] = {}

    def lines_of(self, file: str) -> Mapping[Steps, int]:
        """Return the line of each value of a document, in the order of its text."""
        if file not in self._lines:
            self._lines[file] = dict(locate(self.read(file).decode()))
        return self._lines[file]

    def line_of(self, place: Place) -> int:
        """Return the line of a value, or of what it is missing from; 0 for a whole document."""
        lines, path = self.lines_of(place.file), place.path
        while path and path not in lines:
            path = path[:-1]
        return lines.get(path, 0)

    def line_of_spelt(self, file: str, path: str) -> int:
        """Return the line of a value by its path as people spell it; 0 for what is not there."""
        lines = self.lines_of(file)
        return next((line for steps, line in lines.items() if spell_path(steps) == path), 0)

    def spell(self, place: Place) -> str:
        """Return ``file:line``, as editors open it; without a line where there is none."""
        line, file = self.line_of(place), self.spell_file(place.file)
        return f"{file}:{line}" if line else file


def look_up(document: Any, path: Steps) -> Any:  # noqa: ANN401 - JSON is anything
    """Return what stands at a place; None where nothing does."""
    for step in path:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return None
    return document
