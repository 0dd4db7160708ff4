"""A host in memory: every door, with the kernel's own habits, and failures to order.

It is part of the package because laws need it, and tested as the real one is: one suite opens the
doors of both. It refuses what it does not know.
"""

from applier.fake.faults import Killed
from applier.fake.host import FakeHost

__all__ = ["FakeHost", "Killed"]
