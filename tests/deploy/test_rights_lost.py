"""A right is taken from an agent: its host keeps what it has, while it runs and when it starts."""

from collections.abc import Iterator, Mapping

import pytest
from kube.rights import Right, read_rights
from kube.server import ApiServer
from scenes import dump_all
from tenants import BASE, BY_HAND, EPOCHS, Tenancy, Tenant, await_rights, settle

pytestmark = pytest.mark.timeout(240)

RIGHTS = read_rights(BASE)
READING = [right for right in RIGHTS if right.verb in ("list", "watch")]
"""What the agent needs again when its streams have broken, whatever it did before."""
NEEDED = [
    right
    for right in RIGHTS
    if (right.verb == "list" and right.resource != "secrets") or right.resource == "configmaps"
]
"""Without these an agent that starts has nothing to compile, and goes by what it remembers."""
WATCHED = 6.0
MOST = 30


class Loss:
    """What hosts were like before and after, and what their agents said."""

    def __init__(self, tenancy: Tenancy) -> None:
        tenancy.furnish()
        tenancy.change_everything()
        tenancy.add_masters(EPOCHS[0], BY_HAND)
        tenancy.start()
        tenancy.await_all(30)
        self.before = look(tenancy)
        for tenant in tenancy.tenants:
            tenant.revoke()
        await_rights(tenancy.tenants, tenancy.server)
        asked = {tenant: len(tenancy.asked(tenant)) for tenant in tenancy.tenants}
        # Streams that are open stay so, whatever the roles say; a server that goes ends them.
        tenancy.server.kill()
        tenancy.server.start_again()
        self.whole, *short = tenancy.tenants
        tenancy.await_connected(self.whole)
        settle(WATCHED)
        for tenant in tenancy.tenants:
            tenant.running.remind()
        settle(1)
        self.after = look(tenancy)
        self.unmet = tenancy.read_unmet()
        self.short = {tenant.lacks: tenant for tenant in short}
        self.lines = {tenant: tuple(tenant.running.lines) for tenant in tenancy.tenants}
        self.asked = {
            tenant: len(tenancy.asked(tenant)) - asked[tenant] for tenant in tenancy.tenants
        }
        self.turns = {tenant: tenant.running.turns[-1] for tenant in tenancy.tenants}
        self.alive = {tenant: tenant.running.alive for tenant in tenancy.tenants}
        tenancy.start()
        tenancy.await_connected(self.whole)
        settle(2)
        self.restarted = look(tenancy)

    def without(self, right: Right) -> Tenant:
        return self.short[right]


def look(tenancy: Tenancy) -> Mapping[Tenant, str]:
    return {tenant: dump_all(tenant.running.host) for tenant in tenancy.tenants}


@pytest.fixture(scope="module")
def loss(kubernetes: type[ApiServer], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loss]:
    folder = tmp_path_factory.mktemp("lost")
    with (
        kubernetes(folder / "kubernetes") as server,
        Tenancy(server, folder / "hosts", [None, *RIGHTS]) as tenancy,
    ):
        for tenant in tenancy.tenants:
            tenant.grant(whole=True)
        yield Loss(tenancy)


@pytest.mark.parametrize("right", RIGHTS, ids=str)
def test_a_host_keeps_everything_when_this_right_is_lost(loss: Loss, right: Right) -> None:
    tenant = loss.without(right)
    assert loss.after[tenant] == loss.before[tenant]
    assert loss.unmet[tenant] == ()
    last = loss.turns[tenant]
    assert (last.verified, last.from_memory) == (True, False)
    assert loss.alive[tenant]


@pytest.mark.parametrize("right", RIGHTS, ids=str)
def test_a_host_keeps_everything_when_its_agent_starts_without_this_right(
    loss: Loss, right: Right
) -> None:
    tenant = loss.without(right)
    assert loss.restarted[tenant] == loss.before[tenant]
    assert tenant.running.turns[-1].verified
    assert tenant.running.turns[-1].from_memory == (right in NEEDED)


@pytest.mark.parametrize("right", READING, ids=str)
def test_the_log_says_which_right_was_lost(loss: Loss, right: Right) -> None:
    tenant = loss.without(right)
    missing = f'cannot {right.verb} resource "{right.resource}"'
    assert [line for line in loss.lines[tenant] if missing in line] != []


@pytest.mark.parametrize("right", RIGHTS, ids=str)
def test_an_agent_does_not_run_hot_when_this_right_is_lost(loss: Loss, right: Right) -> None:
    assert loss.asked[loss.without(right)] <= MOST
