"""Twenty agents die at random moments while nodes come and go; two bystanders never notice."""

import os
import random
import time
from collections.abc import Callable

import pytest
from lab.cluster import ClusterLab
from lab.member import Member
from lab.talks import lost, talking

pytestmark = pytest.mark.agent

SEED = int(os.environ.get("WORMHOLE_SEED", "20261122"))
HOSTS = 20
COMMUTERS = 4
"""Of the twenty, those that join and leave all the time; they are killed as the others are."""
CHAOS = 30.0
"""Seconds in which agents die."""


@pytest.fixture
def town(make_cluster: Callable[..., ClusterLab]) -> ClusterLab:
    town = make_cluster("town")
    members = [town.add(f"host-{number:02}") for number in range(1, HOSTS + 1)]
    began = time.monotonic()
    town.join(*members)
    town.await_peers(120)
    print(f"twenty hosts, all peers: {time.monotonic() - began:.1f} s")  # noqa: T201 - shown by -s
    return town


@pytest.mark.timeout(400)
def test_agents_killed_at_random_while_nodes_come_and_go_all_converge(town: ClusterLab) -> None:
    dice = random.Random(SEED)
    members = list(town.members.values())
    bystanders, commuters = members[:2], members[-COMMUTERS:]
    kills: dict[str, int] = dict.fromkeys(town.members, 0)
    moves = 0

    with talking((bystanders[0], bystanders[1])) as talk:
        end = time.monotonic() + CHAOS
        while time.monotonic() < end or not all(kills.values()):
            time.sleep(dice.uniform(0, 1.2))
            victim = _choose(dice, members, kills)
            victim.agent.kill()
            kills[victim.name] += 1
            if dice.random() < 0.3:
                _commute(town, dice.choice(commuters))
                moves += 1
            # The kubelet starts it again, sooner or later.
            time.sleep(dice.uniform(0, 0.4))
            if not victim.agent.running:  # it has not been told to join meanwhile
                victim.agent.start()
        town.join(*(member for member in commuters if not member.joined))
        seconds = town.await_peers(90)
        town.await_pods(bystanders)

    print(  # noqa: T201 - shown by -s
        f"seed {SEED}: {sum(kills.values())} kills, {moves} moves; converged {seconds:.1f} s later"
    )
    assert min(kills.values()) >= 1
    assert lost(talk) == 0
    town.await_status(90)


def _choose(dice: random.Random, members: list[Member], kills: dict[str, int]) -> Member:
    """Return whose agent dies now: anybody's, or one of those that died least often."""
    if dice.random() < 0.5:
        return dice.choice(members)
    fewest = min(kills[member.name] for member in members)
    return dice.choice([member for member in members if kills[member.name] == fewest])


def _commute(town: ClusterLab, member: Member) -> None:
    if member.joined:
        town.leave(member)
    else:
        town.join(member)
