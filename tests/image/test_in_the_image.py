"""Hosts on which every program of ours comes out of the image, run as the manifest's containers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab.agent import Agent
from lab.container import container_command
from lab.mesh import PORT, Mesh
from lab.network import Lab, LabHost
from lab.pods import CONFLIST, Pod
from lab.probes import ping
from lab.requirements import missing
from lab.waiting import wait_until
from manifests import Object, build, one

pytestmark = [pytest.mark.image, pytest.mark.kernel, pytest.mark.timeout(900)]

POD: Object = one(build("base", "userspace-wireguard"), "DaemonSet", "wormhole-agent")["spec"][
    "template"
]["spec"]
"""As the laboratory's kernel may have no WireGuard, with what wireguard-go takes."""

PLUGINS = ["bridge", "host-local", "loopback", "portmap"]


@dataclass(frozen=True, kw_only=True)
class Site:
    """Two hosts whose ``wormhole`` is the image's; each has compiled the mesh of both."""

    lab: Lab
    mesh: Mesh
    one: LabHost
    other: LabHost
    image: Path
    folder: Path


@pytest.fixture(scope="module")
def site(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if reasons := missing():
        pytest.skip(f"no hosts in namespaces here: {'; '.join(reasons)}")
    folder = tmp_path_factory.mktemp("image")
    mesh = Mesh(folder / "mesh")
    mesh.folder.mkdir()
    mesh.state = Path("/var/lib/wormhole/state")  # each host's own, and writable for the container
    wormhole = container_command(POD, "agent", "wormhole", shown=[mesh.folder], image=image)
    with Lab(wormhole=wormhole) as lab:
        one, other = lab.add_host("node-a"), lab.add_host("node-b")
        for number, host in enumerate(lab.hosts.values()):
            mesh.join(host, [f"10.244.{number}.0/24", f"fd00:244:0:{number}::/64"])
        for host in lab.hosts.values():
            mesh.compile(host)
        yield Site(lab=lab, mesh=mesh, one=one, other=other, image=image, folder=folder)


@pytest.fixture
def plugins(site: Site, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder, in place of the hosts' /opt/cni/bin, from which pods get their plugins."""
    folder = site.folder / "bin"
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv("CNI_PATH", str(folder))
    return folder


def install(site: Site, plugins: Path) -> list[str]:
    """Run the init container, just as the manifest has it; return what it said."""
    container = next(each for each in POD["initContainers"] if each["name"] == "install-cni")
    command = container_command(
        POD,
        "install-cni",
        *(*container["command"], *container["args"]),
        instead={"/opt/cni/bin": plugins},
        image=site.image,
    )
    return site.one.run(*command).stdout.splitlines()


def test_pods_reach_each_other_through_what_the_image_brought(site: Site, plugins: Path) -> None:
    installed = install(site, plugins)
    assert installed[:-1] == [f"/host/opt/cni/bin/{name}: written" for name in PLUGINS]
    assert install(site, plugins) == ["0 written, 0 already the same, 4 kept as found"]

    for host in (site.one, site.other):
        site.mesh.apply(host)
        site.mesh.plan(host, expect=0)
    with Pod(site.one, "pod-a") as pod, Pod(site.other, "pod-b") as other:
        with site.lab.capture() as capture:
            answers = [ping(pod, address, count=3) for address in other.addresses]
        assert answers == [True, True]
        assert capture.in_clear({PORT}) == ()
        assert len(capture.encrypted({PORT})) >= 12


@pytest.mark.parametrize("variant", ["nft", "legacy"])
def test_either_iptables_of_the_image_converges_a_host(site: Site, variant: str) -> None:
    site.mesh.spec["iptablesVariant"] = variant
    try:
        site.mesh.compile(site.one)
        site.mesh.apply(site.one, "--allow-mass-delete")
        assert "WORMHOLE-GUARD" in site.one.sh(f"iptables-{variant}-save -t mangle")
        site.mesh.plan(site.one, expect=0)
    finally:
        del site.mesh.spec["iptablesVariant"]
        site.mesh.compile(site.one)


def test_the_images_agent_converges_a_host_heals_it_and_leaves_it_be(
    site: Site, plugins: Path, tmp_path: Path
) -> None:
    install(site, plugins)
    site.mesh.apply(site.other)
    site.one.wormhole("destroy", expect=0)
    agent = Agent(site.one, tmp_path / "log", "--from", str(site.mesh.state), "--node", "node-a")
    agent.start()
    try:
        wait_until(lambda: "" if ready(agent) else agent.said(), timeout=60)
        assert site.one.run("test", "-s", CONFLIST, check=False).returncode == 0
        site.mesh.plan(site.one, expect=0)
        site.one.sh("ip route flush dev wormhole-wg0 proto 87")
        wait_until(lambda: drift(site), timeout=30)
        with Pod(site.one, "pod-a") as pod, Pod(site.other, "pod-b") as other:
            assert [ping(pod, address, count=3) for address in other.addresses] == [True, True]
    finally:
        agent.stop()
    assert drift(site) == ""


def drift(site: Site) -> str:
    """Return what the host's plan says; empty when it says that there is nothing to do."""
    outcome = site.mesh.plan(site.one)
    return str(outcome) if outcome.code else ""


def ready(agent: Agent) -> bool:
    return agent.answers("healthz", "readyz") == ["200", "200"]
