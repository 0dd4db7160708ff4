"""The kinds of objects on a host, in the order in which they are made.

Removals come afterwards, in reverse. At every prefix of that order the overlay is encrypted or
unreachable: guards come first and go last.

A module here may know hosts, views and values; it may not know another kind.
"""

from typing import Final

from applier.kind import AnyKind
from applier.kinds.addresses import ADDRESSES
from applier.kinds.cni import CNI
from applier.kinds.firewall import FIREWALL
from applier.kinds.links import LINKS, UP
from applier.kinds.routes import GUARDS, ROUTES
from applier.kinds.sysctls import SYSCTLS
from applier.kinds.wireguard import DEVICE, PEERS

KINDS: Final[tuple[AnyKind, ...]] = (
    GUARDS,
    SYSCTLS,
    LINKS,
    DEVICE,
    PEERS,
    ADDRESSES,
    UP,
    ROUTES,
    FIREWALL,
    CNI,
)
