"""Write one file that somebody named with ``-o``: whole or not at all, only where it differs."""

from pathlib import Path

from schemas.problems import Problems
from wormhole.console import out
from wormhole.files.folder import Folder, is_plain_file
from wormhole.remarks import show_path


def write_page(path: Path, text: str) -> None:
    """Make the file hold the text, and say whether it had to be written.

    Raises:
        Problems: it is something other than a file, or cannot be written.

    """
    if path.exists() and not is_plain_file(path):
        raise Problems.one("cannot write there: it is no plain file", file=str(path))
    with Folder.open(path.parent) as folder:
        written = folder.write_changed(path.name, text.encode())
    out(f"{'wrote' if written else 'unchanged:'} {show_path(path)}")
