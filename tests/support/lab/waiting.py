"""Turn a condition that will hold some time into the moment when it does."""

import time
from collections.abc import Callable

Complaint = str
"""Why a condition does not hold yet; empty when it does."""


def wait_until(condition: Callable[[], Complaint], timeout: float, every: float = 0.2) -> float:
    """Wait until a condition has nothing to complain of; return how many seconds that took.

    Raises:
        AssertionError: it still complains after ``timeout`` seconds; the message is its last word.

    """
    begin = time.monotonic()
    while complaint := condition():
        if time.monotonic() - begin > timeout:
            raise AssertionError(f"after {timeout:.0f} s: {complaint}")
        time.sleep(every)
    return time.monotonic() - begin


def holds_for(condition: Callable[[], Complaint], seconds: float, every: float = 0.2) -> None:
    """Insist that a condition holds all the time.

    Raises:
        AssertionError: it complained; the message says of what, and when.

    """
    begin = time.monotonic()
    while (passed := time.monotonic() - begin) < seconds:
        if complaint := condition():
            raise AssertionError(f"after {passed:.1f} s: {complaint}")
        time.sleep(every)
