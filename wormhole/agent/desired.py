"""What the loop asks of a source, and what it is told: the same for a cluster and for a folder."""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

from schemas.problems import Problem
from schemas.state import ResolvedHost, Value
from schemas.values import PublicKey


class Cause(StrEnum):
    """Why the loop takes a turn."""

    START = "start"
    CLUSTER = "cluster"
    """Something that this host's documents are compiled from changed in the API."""
    FOLDER = "folder"
    """A document of the state folder changed."""
    KERNEL = "kernel"
    """A link, an address, a route or a policy rule of interest changed."""
    FILE = "file"
    """The CNI file or the host's key changed."""
    TIMER = "timer"
    RETRY = "retry"


Wake = Callable[[Cause], None]
"""Marks the host dirty. Safe from any thread; returns at once; never raises."""


class Desired(Value, frozen=True, kw_only=True):
    """What a source wants of this host at this moment."""

    resolved: ResolvedHost | None = None
    """None: there is nothing new to say. The host keeps its last good documents."""
    problems: tuple[Problem, ...] = ()
    """Why there is nothing new: what its author must mend. Empty while it is only incomplete."""
    waiting_for: str = ""
    """What the source waits for, such as ``the Mesh object``; empty when it is complete."""
    left_out: tuple[Problem, ...] = ()
    """Why objects of others were left out so that the rest can go on."""
    endpoints_left_out: tuple[Problem, ...] = ()
    """Why others, or this host, are in the mesh without their endpoint."""
    own_left_out: bool = False
    """Whether this host's own MeshNode is what was left out: then ``problems`` says why."""
    departed: frozenset[PublicKey] = frozenset()
    """Peers whose Node is known to have been deleted: they may leave, however many they are."""
    allow_mass_delete: str = ""
    """A digest whose mass deletion an operator has allowed; empty when none has."""


class Source(Protocol):
    """Where the desired state comes from."""

    def start(self, wake: Wake) -> None:
        """Begin to watch, in threads of its own, and wake the loop on every change."""

    def desired(self, public_key: PublicKey, applied: ResolvedHost | None = None) -> Desired:
        """Return what is wanted now, of the host with this key. Quick: no network, no waiting.

        ``applied`` is what the host converged to last, as far as it remembers.
        """

    def stop(self) -> None:
        """End the threads, in at most a few seconds."""
