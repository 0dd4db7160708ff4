"""Turn a story's commands into what a person would have typed and seen, checked as it goes."""

import os
import subprocess
import sys
from collections.abc import Callable

_BOLD, _FAINT, _CYAN, _GREEN, _RED = "1", "2", "36", "32", "31"
HEAD, _TAIL, WHOLE = 24, 6, 200
"""Lines of one command's output that are shown when there are more."""

Run = Callable[[str], "subprocess.CompletedProcess[str]"]


class NotAsToldError(Exception):
    """A command did not do what the story says it does."""


class Narrator:
    """Says what happens next, runs it, shows what came of it."""

    def __init__(self) -> None:
        self._colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._chapter = 0

    def chapter(self, title: str, *sentences: str) -> None:
        """Begin a chapter: a heading, and why it is there."""
        self._chapter += 1
        print(f"\n{self._dress(_BOLD, f'{self._chapter}. {title}')}")
        for sentence in sentences:
            print(f"   {sentence}")
        print()

    def type(
        self, where: str, command: str, run: Run, *, expect: int = 0, head: int = HEAD
    ) -> None:
        """Run a command as a person would type it; show at most its first and last lines.

        Raises:
            NotAsToldError: it ended with another exit code.

        """
        print(f"{self._dress(_FAINT, f'[{where}]')} $ {self._dress(_CYAN, command)}", flush=True)
        done = run(command)
        said = f"{done.stdout}{done.stderr}".rstrip()
        self.show(said, head)
        if done.returncode != expect:
            self.show(said[-2000:])
            raise NotAsToldError(f"expected exit code {expect}, it was {done.returncode}")
        if expect:
            self.show(f"(exit code {expect})")

    def show(self, text: str, head: int = HEAD) -> None:
        """Show output, indented; of a long one the beginning and the end."""
        lines = text.splitlines()
        tail = min(_TAIL, head)
        if len(lines) > head + tail + 1:
            left_out = f"... {len(lines) - head - tail} lines ..."
            lines[head:-tail] = [self._dress(_FAINT, left_out)]
        for line in lines:
            print(f"    {line}".rstrip())

    def insist(self, fact: str, *, holds: bool) -> None:
        """State a fact that has just been checked.

        Raises:
            NotAsToldError: it does not hold.

        """
        if not holds:
            raise NotAsToldError(f"this does not hold: {fact}")
        print(f"    {self._dress(_GREEN, 'checked:')} {fact}", flush=True)

    def end(self, text: str, *, good: bool = True) -> None:
        """Say how the story ended."""
        print(f"\n{self._dress(_GREEN if good else _RED, text)}", flush=True)

    @property
    def colour(self) -> bool:
        """Whether a person is looking."""
        return self._colour

    def _dress(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._colour else text
