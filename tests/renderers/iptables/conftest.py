"""One ruleset that has everything: two chains in a hook, two positions, three tables."""

import pytest

from renderers.iptables import Ruleset, write
from schemas.state import Chain, ResolvedHost


@pytest.fixture(scope="session")
def chains(resolved: ResolvedHost) -> tuple[Chain, ...]:
    return resolved.host.firewall.ipv4


@pytest.fixture(scope="session")
def desired(chains: tuple[Chain, ...]) -> Ruleset:
    return write(chains)
