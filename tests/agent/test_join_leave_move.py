"""Nodes join, leave and move; whoever is not concerned keeps every session and every packet."""

from collections.abc import Iterator

import pytest
from lab.agreement import silent_pods, wrong_peers
from lab.cluster import MESH_NODES, ClusterLab
from lab.history import Change, Devices
from lab.member import Member
from lab.talks import lost, talking
from lab.waiting import holds_for, wait_until

pytestmark = pytest.mark.agent


@pytest.fixture
def newcomer(cluster: ClusterLab) -> Iterator[Member]:
    """Return a host that is no node yet, and is none again at the end."""
    member = cluster.add("node-7")
    yield member
    cluster.leave(member)
    member.agent.stop()
    del cluster.members[member.name]


def test_a_node_that_joins_is_one_new_peer_everywhere_and_one_that_leaves_is_gone(
    cluster: ClusterLab, newcomer: Member
) -> None:
    old = cluster.joined
    before = Devices.of(old)

    with talking((old[0], old[1])) as talk:
        cluster.join(newcomer)
        seconds = cluster.await_peers()
        cluster.await_pods()
        during = Devices.of(old)
        key = newcomer.device().key

        newcomer.close_pod()
        cluster.leave(newcomer)
        gone = cluster.await_peers()
        after = Devices.of(old)
        # Its agent still runs, and knows that the node is not wanted any more.
        holds_for(lambda: "it is back" if newcomer.name in cluster.mesh_nodes() else "", 2)

    print(f"joined in {seconds:.1f} s, gone everywhere in {gone:.1f} s")  # noqa: T201 - shown by -s
    assert before.changes_until(during) == {
        Change(host=member.name, peer=key, what="added") for member in old
    }
    assert during.changes_until(after) == {
        Change(host=member.name, peer=key, what="removed") for member in old
    }
    assert before.sessions_reset_until(during) == set()
    assert during.sessions_reset_until(after) == set()
    assert lost(talk) == 0


def test_a_node_that_moves_changes_one_field_everywhere(cluster: ClusterLab) -> None:
    mover, *others = reversed(cluster.joined)
    before = Devices.of(others)

    with talking((others[-1], others[-2])) as talk:
        cluster.move(mover, "192.0.2.66")
        seconds = cluster.await_peers()
        moved = Devices.of(others)
        assert silent_pods(cluster.joined) == ""

        cluster.move_back(mover)
        back = Devices.of(others)

    print(f"moved in {seconds:.1f} s")  # noqa: T201 - shown by -s
    key = mover.device().key
    one_field = {Change(host=member.name, peer=key, what="endpoint") for member in others}
    assert before.changes_until(moved) == one_field
    assert moved.changes_until(back) == one_field
    assert before.sessions_reset_until(back) == set()
    assert lost(talk) == 0


def test_deleting_all_meshnodes_by_hand_costs_nobody_a_session(cluster: ClusterLab) -> None:
    one, other = cluster.joined[:2]
    before = Devices.of(cluster.joined)
    uids = {item["metadata"]["uid"] for item in cluster.mesh_nodes().values()}

    def not_yet_published() -> str:
        published = cluster.mesh_nodes()
        fresh = {name for name, item in published.items() if item["metadata"]["uid"] not in uids}
        absent = {member.name for member in cluster.joined} - fresh
        return f"not published again: {sorted(absent)}" if absent else ""

    with talking((one, other)) as talk:
        cluster.server.delete(MESH_NODES)
        wait_until(not_yet_published, 30)
        # Longer than a burst of events may wait for its end.
        holds_for(lambda: wrong_peers(cluster.joined), 3)

    assert before.changes_until(Devices.of(cluster.joined)) == set()
    assert lost(talk) == 0
