"""The rights that the manifests give a container are enough for what runs in it, and none is idle.

On hosts in network namespaces, without a container engine: see :mod:`lab.container`.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab.agent import Agent
from lab.container import container_command
from lab.mesh import Mesh
from lab.network import Lab, LabHost, Outcome
from lab.pods import Pod, plugin_folder
from lab.probes import ping
from lab.requirements import missing
from lab.waiting import wait_until
from manifests import Object, build, one

pytestmark = pytest.mark.kernel
POD: Object = one(build("base", "userspace-wireguard"), "DaemonSet", "wormhole-agent")["spec"][
    "template"
]["spec"]
"""As the laboratory's kernel may have no WireGuard, with what wireguard-go takes."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """A mesh of two hosts; only one of them has been converged."""

    lab: Lab
    mesh: Mesh
    contained: LabHost
    other: LabHost


def make_site(lab: Lab, folder: Path, **spec: object) -> Site:
    mesh = Mesh(folder, **spec)
    contained, other = lab.add_host("node-a"), lab.add_host("node-b")
    for number, host in enumerate(lab.hosts.values()):
        mesh.join(host, [f"10.244.{number}.0/24", f"fd00:244:0:{number}::/64"])
    mesh.compile(other)
    mesh.apply(other)
    return Site(lab=lab, mesh=mesh, contained=contained, other=other)


@pytest.fixture(scope="module", params=["nft", "legacy"])
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    if reasons := missing():
        pytest.skip(f"no hosts in namespaces here: {'; '.join(reasons)}")
    with Lab() as lab:
        yield make_site(lab, tmp_path_factory.mktemp("mesh"), iptablesVariant=request.param)


@pytest.fixture
def site(made: Site) -> Site:
    """Return the two hosts, the contained one as if nothing had ever run there."""
    # An agent of the test before may still be ending; destroy refuses beside it.
    wait_until(lambda: "refused" if made.contained.wormhole("destroy").code else "", 20)
    made.contained.sh("chown root:root /etc/cni/net.d; rm -f /run/xtables.lock")
    return made


def run(site: Site, *arguments: str, without: str = "", pod: Object = POD) -> Outcome:
    """Run ``wormhole`` on the host as the manifest's container, perhaps without a capability."""
    command = site.contained.wormhole_command(*arguments)
    contained = container_command(
        pod, "agent", *command, shown=[site.mesh.folder], without=[without]
    )
    done = site.contained.run(*contained, check=False)
    return Outcome(command=arguments, code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def apply(site: Site, *, without: str = "", pod: Object = POD) -> Outcome:
    state = str(site.mesh.state)
    return run(site, "apply", state, "--host", "node-a", without=without, pod=pod)


def test_a_host_is_converged_and_put_back_with_these_rights(site: Site) -> None:
    outcome = apply(site)
    assert outcome.code == 0, outcome
    assert run(site, "plan", str(site.mesh.state), "--host", "node-a").code == 0
    with Pod(site.contained, "pod-a") as pod, Pod(site.other, "pod-b") as other:
        assert [ping(pod, address, count=3) for address in other.addresses] == [True, True]
    assert site.contained.sh("sysctl -n net.ipv4.ip_forward").strip() == "1"
    destroyed = run(site, "destroy", "--host", "node-a")
    assert destroyed.code == 0, destroyed
    assert site.contained.sh("sysctl -n net.ipv4.ip_forward").strip() == "0"


def test_nothing_works_without_the_right_to_change_the_network(site: Site) -> None:
    outcome = apply(site, without="NET_ADMIN")
    assert outcome.code >= 3, outcome


def test_only_legacy_iptables_takes_the_right_to_a_raw_socket(site: Site) -> None:
    outcome = apply(site, without="NET_RAW")
    legacy = site.mesh.spec["iptablesVariant"] == "legacy"
    assert (outcome.code, "iptables-legacy-save" in outcome.stderr) == (3 * legacy, legacy), outcome


def test_a_folder_that_is_not_roots_takes_the_right_to_write_there(site: Site) -> None:
    site.contained.sh("chown 1000:1000 /etc/cni/net.d; chmod 755 /etc/cni/net.d")
    refused = apply(site, without="DAC_OVERRIDE")
    assert (refused.code, "10-wormhole.conflist" in refused.stdout + refused.stderr) == (6, True)
    assert apply(site).code == 0


def test_sysctls_take_the_hosts_own_folder(site: Site) -> None:
    agent = POD["containers"][0]
    plain = [each for each in agent["env"] if each["name"] != "WORMHOLE_PROC_SYS"]
    bare = POD | {"containers": [agent | {"env": plain}]}
    refused = apply(site, pod=bare)
    assert (refused.code, "Read-only file system" in refused.stdout + refused.stderr) == (6, True)


def test_an_agent_lives_on_these_rights_and_leaves_the_network_when_it_goes(
    site: Site, tmp_path: Path
) -> None:
    agent = Agent(site.contained, tmp_path / "log")
    arguments = ("agent", f"--from={site.mesh.state}", "--node=node-a")
    command = site.contained.wormhole_command(*arguments)
    contained = container_command(POD, "agent", *command, shown=[site.mesh.folder])
    with agent.log.open("wb") as log:
        process = site.contained.spawn(*contained, output=log, errors=log)
    wait_until(lambda: "" if agent.answers("readyz") == ["200"] else f"log: {agent.said()}", 60)
    site.contained.sh(
        "ip route del 10.244.0.0/16 dev wormhole-wg0; sysctl -qw net.ipv4.ip_forward=0"
    )
    wait_until(lambda: f"log: {agent.said()}" if site.mesh.plan(site.contained).code else "", 60)
    process.stop()
    assert "10.244.0.0/16 dev wormhole-wg0" in site.contained.sh("ip route")


def install(site: Site, folder: Path, *, without: str = "") -> Outcome:
    """Run the init container; ``folder`` stands for the host's /opt/cni/bin."""
    plugins = plugin_folder()
    assert plugins is not None
    arguments = ("install-cni", f"--from={plugins}", "--to=/host/opt/cni/bin")
    command = container_command(
        POD,
        "install-cni",
        *site.contained.wormhole_command(*arguments),
        instead={"/opt/cni/bin": folder},
        without=[without],
    )
    done = site.contained.run(*command, check=False)
    return Outcome(command=arguments, code=done.returncode, stdout=done.stdout, stderr=done.stderr)


def test_plugins_are_installed_into_a_folder_that_is_not_roots(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    folder.mkdir(mode=0o755)
    os.chown(folder, 1000, 1000)
    refused = install(site, folder, without="DAC_OVERRIDE")
    assert (refused.code != 0, list(folder.iterdir())) == (True, []), refused
    outcome = install(site, folder)
    assert outcome.code == 0, outcome
    assert {"bridge", "host-local", "loopback", "portmap"} == {
        path.name for path in folder.iterdir()
    }
    assert folder.stat().st_uid == 1000
