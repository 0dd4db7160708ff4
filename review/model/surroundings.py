"""What documents are silent about, and the model has to assume."""

from typing import Final, Literal

from review.model.numbers import Range
from schemas.state import Value, Verdict
from schemas.values import NodeName


class Surroundings(Value, frozen=True, kw_only=True):
    """What the world around the documents is like."""

    overlay: tuple[tuple[Range, ...], tuple[Range, ...]] = ((), ())
    """What is never to be sent in clear, by family; merged, sorted."""
    forward_policy: Literal[Verdict.ACCEPT, Verdict.DROP] = Verdict.ACCEPT
    """Of filter FORWARD, for what no rule decided; Docker makes it DROP."""
    sysctls: dict[str, str] = {}  # noqa: RUF012 - msgspec copies an empty default
    """Kernel settings of all hosts, where a host's document has none."""
    path_mtus: dict[frozenset[NodeName], int] = {}  # noqa: RUF012 - as above
    """Bytes of ciphertext that the underlay carries between two nodes, and nothing larger, not even
    in fragments. A pair that is not here carries anything."""
    everybody_spoke: bool = False
    """Whether every peer that can reach a node has spoken to it, with a keepalive or without."""

    def covers(self, number: int, *, ipv6: bool) -> bool:
        """Whether an address is in the overlay."""
        return any(prefix.first <= number <= prefix.last for prefix in self.overlay[ipv6])


PLAIN: Final = Surroundings()
"""The kernel's defaults, and nothing known about the overlay."""
