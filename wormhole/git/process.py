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


class GitError(Exception):
    """Git refused; the text is what it said."""


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
