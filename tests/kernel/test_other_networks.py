"""What docs/migrate.md, docs/install.md and docs/operate.md let people type does what they say."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from lab.dumps import differences, snapshot
from lab.mesh import PORT, Mesh
from lab.network import Lab, LabHost
from pages import blocks, shell_lines

pytestmark = pytest.mark.kernel

CLEAN_FLANNEL, CLEAN_OLD = blocks("docs/migrate.md", "sh")

FLANNEL: Final = """
ip link add cni0 type bridge
ip address add 10.244.0.1/24 dev cni0
ip link set cni0 up
ip link add flannel.1 type vxlan id 1 dev eth0 dstport 8472 nolearning
ip address add 10.244.0.0/32 dev flannel.1
ip link set flannel.1 up
ip route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink
for ipt in iptables ip6tables; do
  case $ipt in iptables) net=10.244.0.0/16;; *) net=fd00:244::/48;; esac
  $ipt -t nat -N FLANNEL-POSTRTG
  $ipt -t nat -A FLANNEL-POSTRTG -s $net -d $net -m comment --comment "flanneld masq" -j RETURN
  $ipt -t nat -A FLANNEL-POSTRTG -s $net -m comment --comment "flanneld masq" -j MASQUERADE
  $ipt -t nat -I POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
  $ipt -N FLANNEL-FWD
  $ipt -A FLANNEL-FWD -s $net -m comment --comment "flanneld forward" -j ACCEPT
  $ipt -A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
done
echo '{"name": "cbr0", "cniVersion": "0.3.1", "plugins": []}' >/etc/cni/net.d/10-flannel.conflist
mkdir -p /run/flannel
echo FLANNEL_MTU=1450 >/run/flannel/subnet.env
"""
"""What kube-flannel with vxlan leaves on a node whose pods are gone."""

FLANNEL_PORT: Final = 8472
FLANNEL_PEER: Final = """
ip neighbour add 10.244.1.0 lladdr 02:00:00:00:00:01 dev flannel.1 nud permanent
bridge fdb add 02:00:00:00:00:01 dev flannel.1 dst 192.0.2.254
"""

OLD: Final = """
ip tuntap add mode tun name wormhole-wg0
ip link set wormhole-wg0 up
ip route add 10.244.0.0/16 dev wormhole-wg0
ip link add wormhole-br0 type bridge
ip address add 10.244.0.1/24 dev wormhole-br0
ip link set wormhole-br0 up
say="-m comment --comment"
spoof=WORMHOLE-ANTISPOOFING
iptables -t nat -A POSTROUTING -s 10.244.0.0/16 -d 10.244.0.0/16 \\
  $say "wormhole: overlay->overlay" -j RETURN
iptables -t nat -A POSTROUTING -s 10.244.0.0/24 $say "wormhole: nat overlay->internet" -j MASQUERADE
iptables -N $spoof
iptables -A $spoof -i wormhole-br0 -s 10.244.0.0/24 $say "wormhole: antispoofing" -j RETURN
iptables -A $spoof $say "wormhole: drop spoofed traffic" -j DROP
for chain in FORWARD INPUT; do
  iptables -A $chain -s 10.244.0.0/16 $say "wormhole: check antispoofing" -j $spoof
done
iptables -t mangle -N WORMHOLE-MSS
iptables -t mangle -A WORMHOLE-MSS -o eth0 -p tcp --tcp-flags SYN,RST SYN \\
  $say "wormhole: mss clamping" -j TCPMSS --set-mss 1460
iptables -t mangle -A FORWARD $say "wormhole: check mss clamping" -j WORMHOLE-MSS
echo '{"name": "wormhole", "cniVersion": "0.3.1", "plugins": []}' >/etc/cni/net.d/wormhole.conflist
"""
"""What the Wormhole of 2019 leaves when it is killed; its device was WireGuard's."""

TABLES: Final = """
for ipt in iptables ip6tables; do for table in filter nat mangle; do
  $ipt -t $table -N OTHER; $ipt -t $table -F OTHER
done; done
"""
"""So that tables are there before and after, and somebody else's chain to leave alone."""


def without_comments(saved: str) -> list[str]:
    """Return what ``iptables-save`` printed without the time and the counters."""
    lines = (re.sub(r"\[\d+:\d+\]", "", line) for line in saved.splitlines())
    return [line for line in lines if not line.startswith("#")]


@pytest.fixture
def lab(laboratory: type[Lab]) -> Iterator[Lab]:
    with laboratory() as lab:
        yield lab


@pytest.fixture
def host(lab: Lab) -> LabHost:
    host = lab.add_host("node-a")
    host.sh(TABLES)
    host.settle()
    return host


@pytest.fixture
def mesh(host: LabHost, tmp_path: Path) -> Mesh:
    mesh = Mesh(tmp_path)
    mesh.join(host, ["10.244.0.0/24", "fd00:244::/64"])
    mesh.compile(host)
    return mesh


def test_leftovers_of_flannel_are_conflicts_until_they_are_cleaned(
    host: LabHost, mesh: Mesh
) -> None:
    before = snapshot(host)
    host.sh(FLANNEL)
    warned = host.wormhole("install-cni", "--from", "/usr/lib/cni", "--to", "/opt/cni/bin")
    assert "10-flannel.conflist: the container runtime reads this before" in warned.stderr
    said = mesh.plan(host, expect=4).stdout
    assert "conflict  10.244.1.0/24 metric 0" in said
    assert "conflict  10.244.0.0/24 metric 0" in said

    host.sh(CLEAN_FLANNEL)

    assert differences(before, snapshot(host)) == ""
    assert host.sh("ls -A /etc/cni/net.d; ls -d /run/flannel || true") == ""
    mesh.apply(host)


def test_a_node_that_has_changed_sends_nothing_over_flannel_any_more(
    lab: Lab, host: LabHost, mesh: Mesh
) -> None:
    host.sh(FLANNEL)
    host.sh(FLANNEL_PEER)
    with lab.capture() as before:
        host.run("ping", "-c1", "-W1", "10.244.1.10", check=False)
    assert FLANNEL_PORT in {port for packet in before.packets for port in packet.ports}

    mesh.apply(host, expect=4)
    with lab.capture() as after:
        host.run("ping", "-c1", "-W1", "10.244.1.10", check=False)

    assert after.in_clear({PORT}) == ()


@pytest.mark.parametrize("variant", ["nft", "legacy"])
def test_what_the_old_wormhole_left_is_named_and_all_else_is_done(
    host: LabHost, mesh: Mesh, variant: str
) -> None:
    tool = f"iptables-{variant}"
    empty = snapshot(host)
    host.sh(OLD.replace("iptables", tool))
    host.settle()
    rules = host.sh(f"{tool}-save")

    said = mesh.apply(host, expect=4)

    assert "conflict  wormhole-wg0" in said.stdout
    assert "conflict  wormhole-br0" in said.stdout
    assert f"conflict  {tool} filter WORMHOLE-ANTISPOOFING" in said.stdout
    assert "docs/migrate.md" in said.stdout
    assert without_comments(host.sh(f"{tool}-save")) == without_comments(rules)
    assert "unreachable 10.244.0.0/16" in host.sh("ip route show metric 4294967295")
    assert {change["action"] for change in mesh.plan_json(host)["changes"]} == {"conflict"}

    host.sh(CLEAN_OLD.replace("iptables", tool))
    mesh.apply(host)
    host.wormhole("destroy", expect=0)
    assert differences(empty, snapshot(host)) == ""


def test_leftovers_of_the_old_wormhole_are_gone_when_they_are_cleaned(
    host: LabHost, mesh: Mesh
) -> None:
    before = snapshot(host)
    host.sh(OLD)

    host.sh(CLEAN_OLD)

    assert differences(before, snapshot(host)) == ""
    assert host.sh("ls -A /etc/cni/net.d") == ""
    mesh.apply(host)


@pytest.mark.parametrize("clean", [CLEAN_FLANNEL, CLEAN_OLD], ids=["flannel", "old wormhole"])
def test_cleaning_a_clean_host_changes_nothing(host: LabHost, clean: str) -> None:
    before = snapshot(host)
    host.sh(clean)
    assert differences(before, snapshot(host)) == ""


def test_the_route_that_guards_a_booting_host_is_taken_for_ours(host: LabHost, mesh: Mesh) -> None:
    [line] = [line for line in shell_lines("docs/install.md") if line.startswith("ip route add")]
    before = snapshot(host)
    host.sh(line)
    assert host.run("ip", "route", "get", "10.244.9.9", check=False).returncode != 0

    planned = [(change["kind"], change["key"]) for change in mesh.plan_json(host)["changes"]]
    assert [key for kind, key in planned if kind == "guard"] == ["fd00:244::/48 metric 4294967295"]

    mesh.apply(host)
    host.wormhole("destroy", expect=0)
    assert differences(before, snapshot(host)) == ""


def test_a_container_that_sees_the_host_below_a_folder_destroys_all(
    host: LabHost, mesh: Mesh, tmp_path: Path
) -> None:
    lines = [
        line for line in shell_lines("docs/operate.md") if "destroy --purge --data-dir" in line
    ]
    arguments = {line.rpartition(" wormhole ")[2] for line in lines}
    assert (len(lines), len(arguments)) == (2, 1)
    below = tmp_path / "host"
    below.mkdir()
    command = shlex.join(
        word.replace("/host/", f"{below}/") for word in shlex.split(arguments.pop())
    )
    before = snapshot(host)
    mesh.apply(host)

    program = shlex.join(host.wormhole_command())
    script = f"mount --rbind / {below} && exec {program} {command}"
    done = host.run("unshare", "--mount", "sh", "-euc", script)

    assert "nothing of Wormhole's is left" in done.stdout
    assert differences(before, snapshot(host)) == ""
    assert host.sh("find /var/lib/wormhole /etc/cni/net.d -type f") == ""
