"""Two hosts talk without a pause while a third does everything that a member of a mesh may do."""

import secrets
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from lab.mesh import Mesh, place_master
from lab.network import Lab, LabHost
from lab.pods import Pod
from lab.probes import Stream, answers_within, ping

pytestmark = pytest.mark.kernel


@pytest.fixture
def mesh(
    laboratory: type[Lab], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Lab, Mesh]]:
    mesh = Mesh(tmp_path_factory.mktemp("hitless"), presharedKeyEpoch="2026-11")
    with laboratory() as lab:
        hosts = [lab.add_host(name) for name in ("node-a", "node-b", "node-c")]
        for epoch in ("2026-11", "2026-12"):
            master = b64encode(secrets.token_bytes(32)).decode()
            for host in hosts:
                place_master(host, epoch, master)
        for host in hosts[:2]:
            join(mesh, host)
        converge(mesh, *hosts[:2])
        yield lab, mesh


def join(mesh: Mesh, host: LabHost) -> None:
    mesh.join(host, [f"10.244.{host.number}.0/24", f"fd00:244:0:{host.number}::/64"])


def converge(mesh: Mesh, *hosts: LabHost) -> None:
    mesh.compile(hosts[0])
    for host in hosts:
        mesh.apply(host)


def test_a_conversation_loses_nothing_whatever_a_third_host_does(mesh: tuple[Lab, Mesh]) -> None:
    lab, inventory = mesh
    one, other, third = lab.hosts.values()

    with ExitStack() as stack:
        pod, other_pod = (stack.enter_context(Pod(host, "pod")) for host in (one, other))
        for host in (one, other):
            host.settle()
        assert all(answers_within(10, pod, address) for address in other_pod.addresses)
        streams = [
            stack.enter_context(Stream(place, address))
            for place in (pod, one)
            for address in (other_pod.ipv4, other_pod.ipv6)
        ]

        join(inventory, third)
        converge(inventory, one, other, third)
        with Pod(third, "pod") as third_pod:
            assert ping(third_pod, pod.ipv4)

        third.ip(
            f"address delete {third.ipv4}/24 dev eth0",
            "address add 192.0.2.33/24 dev eth0",
            "route add default via 192.0.2.254",
        )
        inventory.nodes[third.name]["endpoint"] = "192.0.2.33:9806"
        converge(inventory, one, other, third)
        assert ping(one, "10.244.3.1")

        inventory.spec["presharedKeyEpoch"] = "2026-12"
        converge(inventory, one, other, third)

        del inventory.nodes[third.name]
        converge(inventory, other, one)
        third.wormhole("destroy", expect=0)

    assert [stream.lost for stream in streams] == [0, 0, 0, 0]
    assert all(stream.sent > 100 for stream in streams)
