"""Two hosts, one mesh, a pod on each: the network does what it is for, and never in clear."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from lab.mesh import PORT, Mesh
from lab.network import Lab, LabHost
from lab.pods import Pod
from lab.probes import ping, ping_all

pytestmark = pytest.mark.kernel


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two converged hosts with a pod each, on one wire."""

    lab: Lab
    mesh: Mesh
    one: LabHost
    other: LabHost
    pod: Pod
    other_pod: Pod


@pytest.fixture(scope="module")
def pair(laboratory: type[Lab], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    mesh = Mesh(tmp_path_factory.mktemp("pair"))
    with laboratory() as lab:
        one, other = lab.add_host("node-a"), lab.add_host("node-b")
        for number, host in enumerate(lab.hosts.values()):
            mesh.join(host, [f"10.244.{number}.0/24", f"fd00:244:0:{number}::/64"])
        mesh.compile(one)
        for host in lab.hosts.values():
            mesh.apply(host)
        with Pod(one, "pod-a") as pod, Pod(other, "pod-b") as other_pod:
            yield Pair(lab=lab, mesh=mesh, one=one, other=other, pod=pod, other_pod=other_pod)


def test_pods_reach_each_other_and_the_wire_carries_only_wireguard(pair: Pair) -> None:
    with pair.lab.capture() as capture:
        answers = [ping(pair.pod, address, count=3) for address in pair.other_pod.addresses]

    assert answers == [True, True]
    assert capture.in_clear({PORT}) == ()
    assert len(capture.encrypted({PORT})) >= 12


def test_a_converged_host_has_nothing_to_plan(pair: Pair) -> None:
    outcome = pair.mesh.plan(pair.one)

    assert outcome.code == 0, outcome
    assert pair.mesh.plan_json(pair.one)["changes"] == []


def test_of_two_applies_at_once_one_goes_on_and_the_other_is_told_to_wait(pair: Pair) -> None:
    arguments = ("apply", str(pair.mesh.state), "--host", pair.one.name)
    command = pair.one.wormhole_command(*arguments)
    script = """
        for round in 1 2 3 4 5 6 7 8; do
            "$@" >/dev/null 2>&1 & first=$!
            "$@" >/dev/null 2>&1; codes=$?
            wait $first; codes="$codes $?"
            echo $codes
            case "$codes" in *75*) exit;; esac
        done
    """

    codes = pair.one.run("bash", "-c", script, "bash", *command).stdout.split()

    # Who wins is chance; in one of eight rounds both run at the same time.
    assert {"0", "75"} == {*codes}


@pytest.mark.parametrize(
    "damage",
    [
        "ip link delete wormhole-wg0",
        "ip link set wormhole-wg0 down",
        "ip route flush dev wormhole-wg0; ip -6 route flush dev wormhole-wg0",
    ],
    ids=["device deleted", "device down", "routes flushed"],
)
def test_nothing_travels_in_clear_when_the_tunnel_goes_while_pods_talk(
    pair: Pair, damage: str
) -> None:
    targets = pair.other_pod.addresses
    with pair.lab.capture() as capture:
        talks = [
            pair.one.spawn(*command)
            for target in targets
            for command in (
                pair.pod.command("ping", "-n", "-i", "0.02", target),
                ("ping", "-n", "-i", "0.02", target),
            )
        ]
        time.sleep(0.4)
        pair.one.sh(damage)
        time.sleep(0.6)
        said = [talk.stop()[0] for talk in talks]

    assert all(" ttl=" in text for text in said), "all four were talking before"
    assert capture.in_clear({PORT}) == ()
    for place in (pair.one, pair.pod):
        assert ping_all(place, targets, patience=0.2) == targets

    pair.mesh.apply(pair.one)
    assert all(ping(pair.pod, target) for target in targets)


def test_nothing_travels_in_clear_from_a_host_whose_routes_point_elsewhere(pair: Pair) -> None:
    pair.one.ip(
        "route add 10.244.1.0/24 via 192.0.2.254", "route add fd00:244:0:1::/64 via 2001:db8::fe"
    )

    with pair.lab.capture() as capture:
        silent = [
            ping_all(place, pair.other_pod.addresses, patience=0.2)
            for place in (pair.one, pair.pod)
        ]

    assert silent == [pair.other_pod.addresses] * 2
    assert capture.in_clear({PORT}) == ()
    outcome = pair.mesh.plan(pair.one)
    assert outcome.code == 4, outcome
    assert "10.244.1.0/24" in outcome.stdout
    assert "fd00:244:0:1::/64" in outcome.stdout

    pair.one.ip("route delete 10.244.1.0/24", "route delete fd00:244:0:1::/64")
    assert pair.mesh.plan(pair.one).code == 0
