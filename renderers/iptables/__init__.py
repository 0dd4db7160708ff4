"""A host's firewall to iptables' words, and an iptables dump back to what is ours in it.

All values here are of one IP family. How the pieces fit::

    desired  = write(host.firewall.ipv4)            # chains and jumps that should be there
    observed = read(save_text)                      # chains and jumps of ours that are there
    desired == observed                             # nothing to do
    parts_of(observed), parts_of(desired)           # key -> value, to plan and print
    text = transaction(observed, desired)           # load with iptables-restore --noflush
    text = transaction(observed, ruleset_of(parts)) # the same for some of the parts
    text = transaction(observed, Ruleset())         # leave nothing of ours

Rules are compared as text in one spelling (see :mod:`renderers.iptables.text`): an edited rule
is seen although its mark was kept. The mark, ``wormhole:<12 hex digits> <reason>``, tells people
and processes without memory whose the rule is.
"""

from renderers.iptables.desired import write
from renderers.iptables.files import render
from renderers.iptables.limits import UnsupportedRule
from renderers.iptables.observed import UnreadableDump, find_hidden, read
from renderers.iptables.ruleset import (
    Jump,
    OwnedChain,
    Part,
    Ruleset,
    parts_of,
    ruleset_of,
)
from renderers.iptables.transactions import transaction

__all__ = [
    "Jump",
    "OwnedChain",
    "Part",
    "Ruleset",
    "UnreadableDump",
    "UnsupportedRule",
    "find_hidden",
    "parts_of",
    "read",
    "render",
    "ruleset_of",
    "transaction",
    "write",
]
