"""Name a file as a service knows it, which may not be as its user did."""

import os
from pathlib import Path


def find_root() -> Path:
    """Return the top of the checkout in a GitHub workflow, else the current folder."""
    return Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())


def find_inside(file: str, root: Path) -> str | None:
    """Return a file's path below a folder, with slashes; None when it lies elsewhere."""
    path = Path(os.path.abspath(file))  # noqa: PTH100 - resolve() would follow links out of it
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else None
