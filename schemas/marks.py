"""How a process without memory knows what is Wormhole's. Decided per kind, once, here.

========== ================================================================
kind       mark
========== ================================================================
link       its group, and a name we were given
address    it is on one of our links (IPv6 link-local apart, which is the kernel's)
peer       it is on our device
route      its protocol, in the main table
iptables   the chain's name begins ``WORMHOLE-``; each rule's comment begins ``wormhole:``
CNI file   its name, and the network's name inside
========== ================================================================
"""

from typing import Final

LINK_GROUP: Final = 9806
"""``IFLA_GROUP``; stored by the kernel in the message that creates the link."""

ROUTE_PROTOCOL: Final = 87
"""``rtm_protocol``: unassigned in iproute2's ``rt_protos``; ``W`` in ASCII."""

WORST_METRIC: Final = 4_294_967_295
"""The guard routes' metric: every other route is better, so they only stop what is left."""

CHAIN_PREFIX: Final = "WORMHOLE-"
RULE_PREFIX: Final = "wormhole:"
NETWORK_NAME: Final = "wormhole"
"""The CNI network's name, inside the file."""


def is_guard(metric: int) -> bool:
    """Whether a route of this metric is a guard: nothing else tells them from other routes."""
    return metric == WORST_METRIC
