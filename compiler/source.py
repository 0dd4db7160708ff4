"""One piece of inventory text and the name to call it by in errors."""

from schemas.state import Value


class Source(Value, frozen=True, kw_only=True):
    """A file's content, or standard input's."""

    name: str
    """As the user wrote it: ``cluster/nodes.yaml``, ``-``."""
    text: str
