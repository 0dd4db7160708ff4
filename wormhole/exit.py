"""What each exit code means: the contract with whoever runs wormhole from a script."""

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes. Every command uses these and no other."""

    OK = 0
    """Done; for ``plan``: nothing to change."""
    CHANGES = 1
    """``plan``: there are changes to make; ``--check``: files are not what they should be."""
    NOT_DELIVERED = 1
    """``trace`` only: the packet does not get where it is to go."""
    INPUT = 2
    """The input's author must act: the command line, the inventory, the state, a key."""
    UNOBSERVABLE = 3
    """The host, or the API server, could not be observed; or it refused what any run needs."""
    CONFLICT = 4
    """Something foreign is in the way of something of ours; it was left alone."""
    REFUSED = 5
    """The plan removes too much to be carried out unasked, or was saved of a host that is not as it
    was any more, or is of a state that was taken back unconfirmed; nothing was changed."""
    REVERTED = 6
    """A change failed and what had been changed was put back; or its confirmation came too late, as
    it does when the apply takes longer than its time."""
    NOT_REVERTED = 7
    """A change failed and not everything could be put back, or a file could not be removed."""
    BUG = 70
    """A bug in wormhole (``EX_SOFTWARE`` of sysexits.h)."""
    TRY_AGAIN = 75
    """Somebody else has this host: another applier, a change on trial, an agent. Or nodes did not
    get on in time: what was done stays, and the next run goes on from there (``EX_TEMPFAIL``)."""
    INTERRUPTED = 130
    """Ended by Ctrl-C (128 + SIGINT)."""
    BROKEN_PIPE = 141
    """Whoever read the output went away (128 + SIGPIPE)."""
