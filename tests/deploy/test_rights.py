"""Each right that the manifests give is used, none is missing, and an agent says which one is."""

from collections.abc import Iterator

import pytest
from kube.audit import Entry
from kube.rights import Right, read_rights, used_rights
from kube.server import ApiServer
from lab.waiting import wait_until
from tenants import BASE, BY_HAND, EPOCHS, Tenancy, Tenant, await_rights, settle

pytestmark = pytest.mark.timeout(240)  # the first test waits for all of them to join

RIGHTS = read_rights(BASE)
JOINED = 4.0
"""Seconds after which an agent that lacks nothing has done all it does when it joins."""
LATER = (f"master {EPOCHS[1]} here", f"master {EPOCHS[1]} in the Secret", "the late peer")
LAST = f"master {BY_HAND} here"
WATCHED = 10.0
MOST = 40
"""Requests of an agent in its first ten seconds; one that lacks nothing makes some twenty."""


class Trial:
    """What came of it: an agent with the manifests as they are, and one short of each right."""

    def __init__(self, tenancy: Tenancy) -> None:
        tenancy.furnish()
        await_rights(tenancy.tenants, tenancy.server)
        tenancy.start()
        settle(JOINED)
        self.lines_of_joining = {tenant: tuple(tenant.running.lines) for tenant in tenancy.tenants}
        tenancy.change_everything()
        tenancy.await_whole(20, but=[LAST])
        tenancy.add_masters(BY_HAND)
        tenancy.await_whole(20)
        settle(WATCHED - JOINED)
        self.unmet = tenancy.read_unmet()
        self.alive = {tenant: tenant.running.alive for tenant in tenancy.tenants}
        tenancy.stop()
        self.whole, *short = tenancy.tenants
        self.short = {tenant.lacks: tenant for tenant in short}
        wait_until(lambda: complain_of_watches(tenancy.asked(self.whole)), 10)
        self.asked = {tenant: tenancy.asked(tenant) for tenant in tenancy.tenants}

    def without(self, right: Right) -> Tenant:
        return self.short[right]


def complain_of_watches(asked: tuple[Entry, ...]) -> str:
    """Say what is not in the log yet: watches are written down when they end."""
    count = sum(entry.verb == "watch" and entry.done for entry in asked)
    return f"{count} watches have ended" if count < 4 else ""


@pytest.fixture(scope="module")
def trial(kubernetes: type[ApiServer], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    folder = tmp_path_factory.mktemp("rights")
    with (
        kubernetes(folder / "kubernetes") as server,
        Tenancy(server, folder / "hosts", [None, *RIGHTS]) as tenancy,
    ):
        for tenant in tenancy.tenants:
            tenant.grant(whole=False)
        yield Trial(tenancy)


def test_with_the_manifests_as_they_are_nothing_is_short(trial: Trial) -> None:
    assert trial.unmet[trial.whole] == ()
    assert [turn.api_error for turn in trial.whole.running.turns if turn.api_error] == []
    assert [str(entry) for entry in trial.asked[trial.whole] if entry.code >= 400] == []


def test_the_rights_are_those_that_are_used_no_more_and_no_less(trial: Trial) -> None:
    used = {right for entry in trial.asked[trial.whole] for right in used_rights(entry)}
    assert {right for right in RIGHTS if not any(map(right.covers, used))} == set()
    assert {one for one in used if not any(right.covers(one) for right in RIGHTS)} == set()


def test_an_agent_writes_what_is_its_own_and_nothing_else(trial: Trial) -> None:
    """RBAC cannot say so of the MeshNode: every agent has the same account."""
    whole = trial.whole
    written = {
        (entry.resource, entry.name.partition(".")[0])
        for entry in trial.asked[whole]
        if entry.writes
    }
    assert written == {
        ("meshnodes", whole.node),
        ("meshnodes/status", whole.node),
        ("secrets", "wormhole-psk"),
        ("events", whole.node),
    }


@pytest.mark.parametrize("right", RIGHTS, ids=str)
def test_without_this_right_an_agent_falls_short(trial: Trial, right: Right) -> None:
    assert trial.unmet[trial.without(right)] != ()


@pytest.mark.parametrize("right", RIGHTS, ids=str)
def test_the_log_says_at_once_which_right_is_missing(trial: Trial, right: Right) -> None:
    lines = trial.lines_of_joining[trial.without(right)]
    missing = f'cannot {right.verb} resource "{right.resource}"'
    assert [line for line in lines if "403 Forbidden" in line and missing in line] != []
    assert [line for line in lines if "cannot" in line and missing not in line] == []


@pytest.mark.parametrize("right", RIGHTS, ids=str)
def test_it_is_said_once(trial: Trial, right: Right) -> None:
    lines = [line for line in trial.without(right).running.lines if "403 Forbidden" in line]
    assert sorted(set(lines)) == sorted(lines)
    assert len(lines) <= 3


@pytest.mark.parametrize("right", RIGHTS, ids=str)
def test_without_this_right_an_agent_neither_ends_nor_runs_hot(trial: Trial, right: Right) -> None:
    tenant = trial.without(right)
    assert trial.alive[tenant]
    assert [turn.error for turn in tenant.running.turns if turn.hindrance == "Bug"] == []
    assert [turn for turn in tenant.running.turns if "a bug" in turn.api_error.lower()] == []
    assert len(trial.asked[tenant]) <= MOST
