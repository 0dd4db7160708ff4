"""A template's name and values to text: the one place that knows jinja2.

Templates print. They hold no decision and no sorting: those are made in Python, where types and
tests see them. A name that a template wants and does not get is an error, not an empty string.
"""

from collections.abc import Callable, Mapping
from functools import cache


def render_template(name: str, values: Mapping[str, object]) -> str:
    """Render ``templates/<name>.j2``."""
    return _load(name)(values)


@cache
def _load(name: str) -> Callable[[Mapping[str, object]], str]:
    from jinja2 import (  # noqa: PLC0415 - slow to import, and most commands render nothing
        Environment,
        PackageLoader,
        StrictUndefined,
    )

    environment = Environment(
        loader=PackageLoader("renderers"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 - not HTML: quotes and angle brackets must stay
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(f"{name}.j2").render
