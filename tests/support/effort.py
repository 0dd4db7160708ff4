"""How hard the tests search for inputs that break what they say.

Usually each draws the same inputs every time, so that a verdict is of the code and not of luck.
``WORMHOLE_EFFORT`` asks for that many times as many, and new ones in each run.
"""

import os
from typing import Final

from hypothesis import settings

EFFORT: Final = int(os.environ.get("WORMHOLE_EFFORT", "0"))
"""0: the same inputs every time."""


def examples(usual: int) -> int:
    """Return how many inputs to draw where ``usual`` is what a run can afford each time."""
    return usual * max(EFFORT, 1)


def set_effort() -> None:
    """Make this what holds where a test has no settings of its own; nothing is timed."""
    fixed = settings(
        deadline=None, derandomize=not EFFORT, max_examples=examples(100), print_blob=True
    )
    settings.register_profile("wormhole", fixed)
    settings.load_profile("wormhole")
