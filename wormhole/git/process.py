"""Run git, the program: arguments in, bytes out."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from schemas.problems import Problems

_SECONDS: Final = 120
"""Longer than any question of ours takes; a repository on a dead network mount must end too."""

_ENVIRONMENT: Final = {
    "LC_ALL": "C",  # its messages are shown, and some are told apart
    "GIT_OPTIONAL_LOCKS": "0",  # looking must not write the index
    "GIT_TERMINAL_PROMPT": "0",  # nobody may be there to answer
}


_PLACES: Final = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
)
_DISTRUST: Final = "detected dubious ownership"
"""What git says of a repository of somebody else's; its last line is the command that helps."""


class GitError(Exception):
    """Git refused; the text is what it said."""

    @property
    def reason(self) -> str:
        """The one line that says why: warnings may stand before it, advice behind."""
        lines = str(self).splitlines() or ["git does not say why"]
        return next((line for line in lines if line.startswith("fatal: ")), lines[-1])

    @property
    def distrust(self) -> str:
        """What to tell of a repository that git finds and does not trust; empty for all else."""
        text = str(self)
        if _DISTRUST not in text:
            return ""
        remedy = text.splitlines()[-1].strip()
        return f"git does not trust this repository, which is somebody else's; if you do: {remedy}"


def forget_places() -> None:
    """Let folders alone say, from now on, which repository is meant.

    Git tells hooks, and aliases in linked work trees, the one that they were called in. Together
    with a folder inside a work tree that would be a work tree that begins there.
    """
    for name in _PLACES:
        os.environ.pop(name, None)


def run_git(
    folder: Path, arguments: Sequence[str], *, stdin: bytes = b"", seconds: float = _SECONDS
) -> bytes:
    """Run ``git -C FOLDER ARGUMENTS``; return what it printed.

    ``seconds`` is how long it may take: more where the user's hooks run.

    Raises:
        GitError: it ended with another code than 0.
        Problems: git is not installed, or does not end.

    """
    command = ["git", "-C", os.fspath(folder), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - no shell; arguments are checked by who passes them
            command,
            input=stdin,
            capture_output=True,
            check=False,
            timeout=seconds,
            env=os.environ | _ENVIRONMENT,
        )
    except FileNotFoundError as error:
        raise Problems.one("git is needed for this, and is not installed") from error
    except subprocess.TimeoutExpired as error:
        rule = f"git {arguments[0]} did not end within {seconds} s"
        raise Problems.one(rule, file=str(folder)) from error
    if done.returncode != 0:
        raise GitError(done.stderr.decode(errors="replace").strip())
    return done.stdout
