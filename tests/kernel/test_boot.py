"""What a boot leaves of a host, and what CNI plugins do on one from which our bridge is gone."""

from collections.abc import Iterator

import pytest
from lab.dumps import differences, snapshot
from lab.mesh import Mesh
from lab.network import Lab, LabHost
from lab.pods import CONFLIST, Pod
from lab.probes import ping
from lab.reboot import reboot
from lab.waiting import wait_until

pytestmark = pytest.mark.kernel

BR = "wormhole-br0"
TARGET = "/run/wormhole/cni/10-wormhole.conflist"


@pytest.fixture
def lab(laboratory: type[Lab]) -> Iterator[Lab]:
    with laboratory() as lab:
        yield lab


@pytest.fixture
def mesh(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Mesh:
    mesh = Mesh(tmp_path_factory.mktemp("boot"))
    for number, name in enumerate(("node-a", "node-b")):
        mesh.join(lab.add_host(name), [f"10.244.{number}.0/24", f"fd00:244:0:{number}::/64"])
    for host in lab.hosts.values():
        mesh.compile(host)
        mesh.apply(host)
    return mesh


@pytest.fixture
def host(lab: Lab, mesh: Mesh) -> LabHost:
    assert mesh.nodes
    return lab.hosts["node-a"]


def can_read(host: LabHost, path: str = CONFLIST) -> bool:
    return host.run("cat", path, check=False).returncode == 0


def settings(host: LabHost) -> str:
    """Return what tells a bridge from another: its index, group, MAC and MTU."""
    return host.sh(f"cd /sys/class/net/{BR}; cat ifindex netdev_group address mtu")


def test_runtimes_of_any_user_can_read_the_configuration(host: LabHost) -> None:
    host.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat", CONFLIST)


def test_after_a_boot_pods_wait_for_the_next_apply(lab: Lab, mesh: Mesh, host: LabHost) -> None:
    reboot(host)
    assert host.sh(f"readlink {CONFLIST}").strip() == TARGET
    assert not can_read(host)

    said = mesh.apply(host)

    assert can_read(host)
    assert "pods can start from here on" in said.stdout
    with Pod(host, "pod-a") as one, Pod(lab.hosts["node-b"], "pod-b") as other:
        assert all(ping(one, address) for address in other.addresses)


def test_a_file_of_an_earlier_version_becomes_a_link_and_a_boot_takes_it_too(
    mesh: Mesh, host: LabHost
) -> None:
    host.sh(f"cp --remove-destination {TARGET} {CONFLIST}; rm {TARGET}")
    assert "a boot takes it away until all else is in place" in mesh.apply(host).stdout
    assert host.sh(f"readlink {CONFLIST}").strip() == TARGET
    assert mesh.plan(host).code == 0
    reboot(host)
    assert not can_read(host)


def test_a_bridge_that_the_plugin_made_is_taken_over_as_it_is(
    lab: Lab, mesh: Mesh, host: LabHost
) -> None:
    ours = settings(host).split()[1:]
    host.run("ip", "link", "delete", BR)
    with Pod(host, "pod-a") as one, Pod(lab.hosts["node-b"], "pod-b") as other:
        index, *made = settings(host).split()
        assert made != ours

        mesh.apply(host)

        assert settings(host).split() == [index, *ours]
        # A pod that has met the plugin's bridge asks for our MAC once the old one is silent (NUD).
        for pod, addresses in ((one, other.addresses), (other, one.addresses)):
            for address in addresses:
                wait_until(lambda p=pod, a=address: "" if ping(p, a) else f"{a} is silent", 30)
    # The last port has left, which resets an MTU that nobody pinned.
    assert settings(host).split() == [index, *ours]
    assert mesh.plan(host).code == 0


def test_a_bridge_that_the_plugin_made_goes_with_the_rest(mesh: Mesh, host: LabHost) -> None:
    host.wormhole("destroy", expect=0)
    before = snapshot(host)
    mesh.apply(host)
    host.run("ip", "link", "delete", BR)
    with Pod(host, "pod-a"):
        pass

    host.wormhole("destroy", expect=0)

    assert differences(before, snapshot(host)) == ""
