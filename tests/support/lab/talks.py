"""Turn two members into a conversation that notices every lost packet."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from lab.member import Member
from lab.namespace import LabError
from lab.probes import Stream, answers_within

Talk = tuple[Stream, ...]


@contextmanager
def talking(*pairs: tuple[Member, Member]) -> Iterator[Talk]:
    """Let the pods and the hosts of each pair ask the other's pod, over both families."""
    with ExitStack() as stack:
        yield tuple(stack.enter_context(stream) for pair in pairs for stream in _open(*pair))


def _open(one: Member, other: Member) -> Iterator[Stream]:
    pod, target = one.open_pod(), other.open_pod()
    for place in (pod, one.host):
        for address in target.addresses:
            if not answers_within(10, place, address):
                raise LabError(f"{one.name} does not reach {address} to begin with")
            yield Stream(place, address)


def lost(talk: Talk, *, least: int = 50) -> int:
    """Return how many requests of an ended talk were lost; insist that enough were sent."""
    for stream in talk:
        if stream.sent < least:
            raise LabError(f"only {stream.sent} requests were sent")
    return sum(stream.lost for stream in talk)
