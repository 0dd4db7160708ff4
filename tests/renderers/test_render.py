import subprocess
import sys

import pytest
from msgspec.structs import replace

from renderers import MeshRenderer, render_host
from schemas.problems import Problems
from schemas.resolve import resolve
from schemas.state import Cni, Documents, HostState, ResolvedHost
from schemas.values import NodeName


def test_a_host_has_these_files(resolved: ResolvedHost) -> None:
    expected = [
        "ip.batch",
        "sysctl.conf",
        "iptables.rules",
        "ip6tables.rules",
        "10-wormhole.conflist",
        "wormhole-wg0.conf",
    ]
    assert expected == list(render_host(resolved))


def test_every_text_says_whose_it_is_and_how_it_is_loaded(resolved: ResolvedHost) -> None:
    for name, text in render_host(resolved).items():
        if not name.endswith(".conflist"):
            first, second, *_ = text.splitlines()
            assert first.startswith("# node-b, mesh demo: ")
            assert second.startswith("# load: ")
            assert name in second


def test_a_family_that_is_not_in_use_has_a_file_without_rules(resolved: ResolvedHost) -> None:
    firewall = replace(resolved.host.firewall, ipv6=())
    files = render_host(replace(resolved, host=replace(resolved.host, firewall=firewall)))
    expected = """\
# node-b, mesh demo: firewall, IPv6
# load: ip6tables-restore --noflush ip6tables.rules
# The overlay has no IPv6: nothing to load.
"""
    assert expected == files["ip6tables.rules"]
    assert "*mangle" in files["iptables.rules"]


def test_many_hosts_are_rendered_as_each_of_them_is(documents: Documents) -> None:
    renderer = MeshRenderer(documents.mesh)
    for host in documents.hosts.values():
        assert render_host(resolve(documents.mesh, host)) == renderer.render(host)


def test_a_host_outside_the_peer_groups_sees_every_peer(documents: Documents) -> None:
    stranger = replace(documents.hosts[NodeName("node-b")], name=NodeName("stranger"))
    files = MeshRenderer(documents.mesh).render(stranger)
    assert files["wormhole-wg0.conf"].count("[Peer]") == 3


def _other_mesh(host: HostState) -> HostState:
    return replace(host, mesh="other")


def _other_group(host: HostState) -> HostState:
    return replace(host, wireguard=replace(host.wireguard, peer_groups=("nobody",)))


@pytest.mark.parametrize("change", [_other_mesh, _other_group])
def test_many_hosts_are_refused_as_each_of_them_is(documents: Documents, change: object) -> None:
    assert callable(change)
    host = change(documents.hosts[NodeName("node-b")])
    with pytest.raises(Problems) as one:
        resolve(documents.mesh, host)
    with pytest.raises(Problems) as many:
        MeshRenderer(documents.mesh).render(host)
    assert str(one.value) == str(many.value)


def test_two_files_of_one_name_are_refused(resolved: ResolvedHost) -> None:
    cni = Cni(file_name="ip.batch", config={})
    host = replace(resolved, host=replace(resolved.host, cni=cni))
    with pytest.raises(Problems) as raised:
        render_host(host)
    assert str(raised.value) == "HostState/node-b 'ip.batch': two files of one name"


def test_reading_iptables_does_not_pay_for_jinja2() -> None:
    script = "import sys, renderers.iptables; sys.exit('jinja2' in sys.modules)"
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}; {script}"]
    assert subprocess.run(command, check=False).returncode == 0
