"""What can go wrong on a host, by who must act. The operator of the host acts on all of these."""


class HostError(Exception):
    """An operation on the host failed: says the operation, its target and the kernel's reason."""

    def __init__(self, operation: str, target: str, reason: str, code: int = 0) -> None:
        self.operation = operation
        self.target = target
        self.reason = reason
        self.code = code
        """The ``errno`` or exit status; 0 when there is none."""
        super().__init__(f"{operation} {target}: {reason}" + (f" (code {code})" if code else ""))


class Missing(HostError):  # noqa: N818 - a fact about the host, classified once at the boundary
    """The object is not there. On delete this is success; kinds never let it escape."""


class Exists(HostError):  # noqa: N818
    """The object is already there, and may be somebody else's."""


class Unsupported(HostError):  # noqa: N818
    """The kernel or a tool cannot do this at all, such as a missing WireGuard module."""


class NotInstalled(Unsupported):
    """A tool is not there. What it made before may be, unseen; a kernel that lacks it has none."""


class Unobservable(HostError):  # noqa: N818
    """Live state could not be read whole: interrupted, refused, incompatible.

    Unreadable is not empty: nothing may be written after this.
    """


class Damaged(Unobservable):
    """A file of ours was read, and makes no sense: reading it again will not help."""


class Locked(HostError):  # noqa: N818
    """Another applier holds this host's lock."""


class Unconfirmed(Locked):
    """A change is on trial: nobody else changes this host until that is decided."""


class GoingBack(Unconfirmed):
    """Its time is over: its watchdog takes it back, and knows best how."""


class NotGoneBack(HostError):  # noqa: N818
    """A change on trial could not be taken back whole; the next start goes on with it."""


class AgentRuns(Locked):
    """An agent keeps this host: what somebody else removes, it puts back."""
