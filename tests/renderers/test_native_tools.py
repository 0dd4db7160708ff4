"""The native tools take what is rendered, on a bare host, and it is all there then."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from lab.namespace import Namespace

from renderers import iptables, render_host
from schemas.state import ResolvedHost
from schemas.values import is_ipv6

pytestmark = pytest.mark.kernel


@pytest.fixture
def files(machine: Namespace, resolved: ResolvedHost, tmp_path: Path) -> Mapping[str, Path]:
    """The host's files; its device is made by wireguard-go, with a private key."""
    machine.run("wireguard-go", "wormhole-wg0")
    machine.sh("wg genkey > /run/key; wg set wormhole-wg0 private-key /run/key")
    files = {name: tmp_path / name for name in render_host(resolved)}
    for name, text in render_host(resolved).items():
        files[name].write_text(text)
    return files


def _lines(machine: Namespace, *command: str) -> list[str]:
    return [" ".join(line.split()) for line in machine.run(*command).stdout.splitlines()]


def test_ip_takes_the_batch_without_a_complaint(
    machine: Namespace, files: Mapping[str, Path], resolved: ResolvedHost
) -> None:
    done = machine.run("ip", "-force", "-batch", str(files["ip.batch"]))
    assert done.stderr == ""
    host = resolved.host
    for link in (host.wireguard, host.bridge):
        shown = _lines(machine, "ip", "link", "show", "dev", link.interface)
        assert f"mtu {link.mtu} " in shown[0]
        assert " group 9806 " in shown[0]
        assert "UP" in shown[0]
        addresses = _lines(machine, "ip", "-oneline", "address", "show", "dev", link.interface)
        found = {line.split()[3] for line in addresses if " scope link" not in line}
        assert set(link.addresses) == found
        assert all(
            " nodad" in line
            for line in addresses
            if is_ipv6(line.split()[3]) and " scope link" not in line
        )
    assert host.bridge.mac in _lines(machine, "ip", "link", "show", "dev", "wormhole-br0")[1]


def test_ip_makes_the_routes_of_the_document(machine: Namespace, files: Mapping[str, Path]) -> None:
    machine.run("ip", "-force", "-batch", str(files["ip.batch"]))
    expected = [
        "10.244.0.0/16 dev wormhole-wg0 scope link metric 1024",
        "unreachable 10.244.0.0/16 metric 4294967295",
        "fd00:244::/48 dev wormhole-wg0 metric 1024 pref medium",
        "unreachable fd00:244::/48 dev lo metric 4294967295 pref medium",
    ]
    shown = [_lines(machine, "ip", f, "route", "show", "proto", "87") for f in ("-4", "-6")]
    assert expected == [line.removesuffix(" linkdown") for lines in shown for line in lines]


def test_a_second_batch_changes_nothing(machine: Namespace, files: Mapping[str, Path]) -> None:
    batch = ("ip", "-force", "-batch", str(files["ip.batch"]))
    shows = (("ip", "-oneline", "address"), ("ip", "route"), ("ip", "-6", "route"))
    machine.run(*batch)
    before = [_lines(machine, *show) for show in shows]
    machine.run(*batch, check=False)
    assert before == [_lines(machine, *show) for show in shows]


def test_the_mtu_of_the_bridge_outlives_its_ports(
    machine: Namespace, files: Mapping[str, Path], resolved: ResolvedHost
) -> None:
    machine.run("ip", "-force", "-batch", str(files["ip.batch"]))
    machine.ip(
        "link add port mtu 1280 type veth peer name pod",
        "link set port master wormhole-br0",
        "link del port",
    )
    (link,) = _lines(machine, "ip", "-oneline", "link", "show", "dev", "wormhole-br0")
    assert f" mtu {resolved.host.bridge.mtu} " in link


def test_wg_takes_the_peers_and_keeps_the_private_key(
    machine: Namespace, files: Mapping[str, Path], resolved: ResolvedHost
) -> None:
    key = machine.sh("cat /run/key").strip()
    machine.run("wg", "addconf", "wormhole-wg0", str(files["wormhole-wg0.conf"]))
    device, *peers = machine.run("wg", "show", "wormhole-wg0", "dump").stdout.splitlines()
    private, _, port, mark = device.split("\t")
    assert (key, str(resolved.host.wireguard.listen_port), "off") == (private, port, mark)
    expected = {
        (peer.public_key, "(none)", peer.endpoint or "(none)", frozenset(peer.allowed_ips), "25")
        for peer in resolved.peers.values()
    }
    rows = [peer.split("\t") for peer in peers]
    found = {(row[0], row[1], row[2], frozenset(row[3].split(",")), row[7]) for row in rows}
    assert expected == found


@pytest.mark.parametrize("variant", ["nft", "legacy"])
@pytest.mark.parametrize("family", ["ip", "ip6"])
def test_iptables_takes_the_rules(
    machine: Namespace, files: Mapping[str, Path], resolved: ResolvedHost, family: str, variant: str
) -> None:
    firewall = resolved.host.firewall
    text = str(files[f"{family}tables.rules"])
    machine.run(f"{family}tables-{variant}-restore", "--noflush", text)
    dump = machine.run(f"{family}tables-{variant}-save").stdout
    chains = firewall.ipv4 if family == "ip" else firewall.ipv6
    assert iptables.write(chains) == iptables.read(dump)


def test_sysctl_takes_the_parameters(
    machine: Namespace, files: Mapping[str, Path], resolved: ResolvedHost
) -> None:
    assert resolved.host.sysctls
    off = dict.fromkeys(resolved.host.sysctls, "0")
    machine.run("sysctl", "-w", *(f"{key}={value}" for key, value in off.items()))
    machine.run("sysctl", "-p", str(files["sysctl.conf"]))
    found = {key: machine.run("sysctl", "-n", key).stdout.strip() for key in off}
    assert resolved.host.sysctls == found
