"""What every host must do, whatever is behind its doors: one suite for all of them.

Nothing here looks behind a door, so a host in memory passes it too: a line in ``HOSTS``.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from namespaces import missing, network_namespace

from applier.errors import Exists, HostError, Missing
from applier.fake import FakeHost
from applier.host import Host, Link, LiveRoute
from applier.linux import LinuxHost
from applier.paths import Paths
from applier.vault import Vault
from schemas.state import IptablesVariant
from schemas.values import InterfaceAddress, Prefix

MAC = "02:00:00:00:00:07"
WORST = 4_294_967_295
IPV4, IPV6 = InterfaceAddress("10.244.1.1/24"), InterfaceAddress("fd00:244:1::1/64")
OVERLAYS = pytest.mark.parametrize("overlay", ["10.244.0.0/16", "fd00:244::/48"])


@contextmanager
def open_linux_host(run_dir: Path) -> Iterator[Host]:
    if reason := missing():
        pytest.skip(f"network namespaces: {reason}")
    with network_namespace(), LinuxHost(Vault(b"salt"), run_dir) as host:
        yield host


@contextmanager
def open_fake_host(run_dir: Path) -> Iterator[Host]:
    yield FakeHost(Vault(b"salt"), Paths(run=run_dir))


OpenHost = Callable[[Path], AbstractContextManager[Host]]
HOSTS: dict[str, OpenHost] = {"linux": open_linux_host, "fake": open_fake_host}


@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.kernel if name == "linux" else ()) for name in HOSTS
    ]
)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    with HOSTS[request.param](tmp_path / "run") as opened:
        yield opened


@pytest.fixture
def bridge(host: Host) -> str:
    """Name a bridge of ours that is up."""
    host.create_bridge("br0", mac=MAC, mtu=1440, group=9806)
    host.set_link("br0", up=True)
    return "br0"


def route_over(device: str, overlay: str) -> LiveRoute:
    return LiveRoute(
        destination=Prefix(overlay), metric=1024, type="unicast", protocol=87, device=device
    )


def guard_of(overlay: str) -> LiveRoute:
    return LiveRoute(destination=Prefix(overlay), metric=WORST, type="unreachable", protocol=87)


def ours(host: Host) -> list[LiveRoute]:
    return [route for route in host.routes() if route.protocol == 87]


def link_named(host: Host, name: str) -> Link | None:
    return next((link for link in host.links() if link.name == name), None)


def test_a_new_bridge_is_down_and_as_asked(host: Host) -> None:
    host.create_bridge("br0", mac=MAC, mtu=1440, group=9806)
    assert link_named(host, "br0") == Link(
        name="br0", kind="bridge", group=9806, mtu=1440, mac=MAC, up=False
    )


def test_a_taken_name_is_refused(host: Host, bridge: str) -> None:
    before = host.links()
    with pytest.raises(Exists):
        host.create_bridge(bridge, mac=MAC, mtu=1280, group=1)
    assert host.links() == before


def test_set_link_changes_only_what_is_given(host: Host, bridge: str) -> None:
    host.set_link(bridge, mtu=1300)
    host.set_link(bridge, up=False, group=7)
    assert link_named(host, bridge) == Link(
        name=bridge, kind="bridge", group=7, mtu=1300, mac=MAC, up=False
    )


def test_a_deleted_link_takes_addresses_and_routes_but_no_guard_along(
    host: Host, bridge: str
) -> None:
    host.add_address(bridge, IPV4)
    host.add_route(route_over(bridge, "10.244.0.0/16"))
    host.add_route(guard_of("10.244.0.0/16"))
    host.delete_link(bridge)
    assert link_named(host, bridge) is None
    assert host.addresses(bridge) == ()
    assert host.routes() == (guard_of("10.244.0.0/16"),)


def test_addresses_come_and_go(host: Host, bridge: str) -> None:
    host.add_address(bridge, IPV4)
    host.add_address(bridge, IPV6)
    assert set(host.addresses(bridge)) == {IPV4, IPV6}
    host.delete_address(bridge, IPV4)
    assert host.addresses(bridge) == (IPV6,)


def test_an_address_twice_exists_and_one_that_is_gone_is_missing(host: Host, bridge: str) -> None:
    host.add_address(bridge, IPV4)
    with pytest.raises(Exists):
        host.add_address(bridge, IPV4)
    host.delete_address(bridge, IPV4)
    with pytest.raises(Missing):
        host.delete_address(bridge, IPV4)


@OVERLAYS
def test_routes_come_and_go(host: Host, bridge: str, overlay: str) -> None:
    host.add_route(route_over(bridge, overlay))
    host.add_route(guard_of(overlay))
    assert ours(host) == [route_over(bridge, overlay), guard_of(overlay)]
    host.delete_route(route_over(bridge, overlay))
    assert ours(host) == [guard_of(overlay)]


@OVERLAYS
def test_a_taken_destination_and_metric_is_refused(host: Host, bridge: str, overlay: str) -> None:
    theirs = LiveRoute(
        destination=Prefix(overlay), metric=1024, type="unicast", protocol=12, device=bridge
    )
    host.add_route(theirs)
    with pytest.raises(Exists):
        host.add_route(route_over(bridge, overlay))
    with pytest.raises(Missing):
        host.delete_route(route_over(bridge, overlay))
    assert theirs in host.routes()


@OVERLAYS
def test_a_route_is_replaced_at_its_key(host: Host, bridge: str, overlay: str) -> None:
    host.create_bridge("br1", mac="02:00:00:00:00:08", mtu=1440, group=0)
    host.set_link("br1", up=True)
    host.add_route(route_over("br1", overlay))
    host.replace_route(route_over(bridge, overlay))
    assert ours(host) == [route_over(bridge, overlay)]


@pytest.mark.parametrize(
    "change",
    [
        lambda host: host.set_link("nowhere", mtu=1300),
        lambda host: host.delete_link("nowhere"),
        lambda host: host.add_address("nowhere", IPV4),
        lambda host: host.delete_address("nowhere", IPV4),
        lambda host: host.add_route(route_over("nowhere", "10.244.0.0/16")),
        lambda host: host.delete_route(guard_of("10.244.0.0/16")),
        lambda host: host.read_sysctl("net.ipv9.forwarding"),
        lambda host: host.write_sysctl("net.ipv9.forwarding", "1"),
        lambda host: host.remove_file(Path("/nowhere/file")),
        lambda host: host.wireguard("nowhere").delete("nowhere"),
    ],
)
def test_what_is_not_there_is_missing(host: Host, change: Callable[[Host], object]) -> None:
    with pytest.raises(Missing):
        change(host)


def test_a_sysctl_reads_back_as_written(host: Host) -> None:
    host.write_sysctl("net.ipv4.ip_forward", "1")
    assert host.read_sysctl("net.ipv4.ip_forward") == "1"
    host.write_sysctl("net.ipv4.ip_forward", "0")
    assert host.read_sysctl("net.ipv4.ip_forward") == "0"


def test_a_loaded_chain_is_saved_and_others_stay(host: Host) -> None:
    variants = host.iptables_variants()
    assert variants
    assert set(variants) <= {IptablesVariant.NFT, IptablesVariant.LEGACY}
    for variant in variants:
        for name in ("WORMHOLE-A", "WORMHOLE-B"):
            text = f"*filter\n:{name} - [0:0]\n-A {name} -j ACCEPT\nCOMMIT\n"
            host.iptables_restore(variant, text, ipv6=False)
        saved = host.iptables_save(variant, ipv6=False).splitlines()
        assert {"-A WORMHOLE-A -j ACCEPT", "-A WORMHOLE-B -j ACCEPT"} <= set(saved)
        assert "WORMHOLE" not in host.iptables_save(variant, ipv6=True)


def test_a_chain_that_does_not_load_leaves_its_table_alone(host: Host) -> None:
    for variant in host.iptables_variants():
        text = "*filter\n:WORMHOLE-A - [0:0]\n-A WORMHOLE-A -j NOWHERE\nCOMMIT\n"
        with pytest.raises(HostError):
            host.iptables_restore(variant, text, ipv6=False)
        assert "WORMHOLE" not in host.iptables_save(variant, ipv6=False)


def test_files_come_change_and_go(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "net.d" / "10-wormhole.conflist"
    assert host.read_file(path) is None
    assert host.file_mode(path) is None
    assert host.list_files(path.parent) == ()
    host.write_file(path, b"one", 0o644)
    host.write_file(path, b"two", 0o600)
    assert host.read_file(path) == b"two"
    assert host.file_mode(path) == 0o600
    assert host.list_files(path.parent) == (path.name,)
    host.remove_file(path)
    assert host.read_file(path) is None
    assert host.list_files(path.parent) == ()


def test_a_link_comes_changes_and_goes(host: Host, tmp_path: Path) -> None:
    path, target = tmp_path / "net.d" / "10-wormhole.conflist", tmp_path / "run" / "conflist"
    assert host.read_link(path) is None
    host.replace_link(path, str(target))
    assert (host.read_link(path), host.read_file(path), host.file_mode(path)) == (
        str(target),
        None,
        None,
    )
    host.write_file(target, b"one", 0o644)
    assert (host.read_file(path), host.file_mode(path)) == (b"one", 0o644)
    assert (host.list_files(path.parent), host.read_link(target)) == ((), None)

    host.replace_link(path, "/elsewhere")
    assert (host.read_link(path), host.read_file(target)) == ("/elsewhere", b"one")
    with pytest.raises(Exists):
        host.create_file(path, b"two", 0o600)
    host.remove_file(path)
    assert (host.read_link(path), host.read_file(target)) == (None, b"one")


def test_a_file_and_a_link_take_each_others_place(host: Host, tmp_path: Path) -> None:
    path, target = tmp_path / "name", tmp_path / "target"
    host.write_file(target, b"target", 0o644)
    host.write_file(path, b"file", 0o644)
    host.replace_link(path, str(target))
    assert host.read_file(path) == b"target"
    host.write_file(path, b"file", 0o644)
    assert (host.read_link(path), host.read_file(path)) == (None, b"file")
    assert host.read_file(target) == b"target"


def test_a_created_file_is_never_overwritten(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "private.key"
    host.create_file(path, b"first", 0o600)
    with pytest.raises(Exists):
        host.create_file(path, b"second", 0o644)
    assert host.read_file(path) == b"first"
    assert host.file_mode(path) == 0o600


def test_the_clock_does_not_run_backwards(host: Host) -> None:
    assert 0 < host.now() <= host.now()


@OVERLAYS
def test_a_link_that_goes_down_loses_its_routes_and_its_ipv6_addresses(
    host: Host, bridge: str, overlay: str
) -> None:
    host.add_address(bridge, IPV4)
    host.add_address(bridge, IPV6)
    host.add_route(route_over(bridge, overlay))
    host.add_route(guard_of(overlay))
    host.set_link(bridge, up=False)
    assert host.routes() == (guard_of(overlay),)
    assert host.addresses(bridge) == (IPV4,)


def test_an_address_of_a_link_that_is_up_makes_a_route_of_the_kernels(
    host: Host, bridge: str
) -> None:
    host.add_address(bridge, IPV4)
    host.add_address(bridge, IPV6)
    assert {
        (route.destination, route.metric, route.protocol, route.device) for route in host.routes()
    } == {("10.244.1.0/24", 0, 2, bridge), ("fd00:244:1::/64", 256, 2, bridge)}


def test_the_first_address_of_a_subnet_goes_alone(host: Host, bridge: str) -> None:
    second = InterfaceAddress("10.244.1.2/24")
    host.add_address(bridge, IPV4)
    host.add_address(bridge, second)
    host.delete_address(bridge, IPV4)
    assert host.addresses(bridge) == (second,)


def test_forwarding_changes_what_depends_on_it(host: Host, bridge: str) -> None:
    keys = (
        "net.ipv4.conf.all.accept_redirects",
        "net.ipv4.conf.default.forwarding",
        f"net.ipv4.conf.{bridge}.forwarding",
    )
    host.write_sysctl("net.ipv4.ip_forward", "0")
    seen = []
    for value in ("1", "0"):
        host.write_sysctl("net.ipv4.ip_forward", value)
        seen.append([host.read_sysctl(key) for key in keys])
    assert seen == [["0", "1", "1"], ["1", "0", "0"]]


def test_ipv6_forwarding_changes_every_link(host: Host, bridge: str) -> None:
    key = f"net.ipv6.conf.{bridge}.forwarding"
    host.write_sysctl("net.ipv6.conf.all.forwarding", "1")
    assert host.read_sysctl(key) == "1"
    host.write_sysctl("net.ipv6.conf.all.forwarding", "0")
    assert host.read_sysctl(key) == "0"


def test_one_table_is_one_transaction_and_two_tables_are_two(host: Host) -> None:
    for variant in host.iptables_variants():
        good = "*mangle\n:WORMHOLE-A - [0:0]\n-A WORMHOLE-A -j ACCEPT\nCOMMIT\n"
        bad = "*filter\n:WORMHOLE-B - [0:0]\n-A WORMHOLE-B -j NOWHERE\nCOMMIT\n"
        with pytest.raises(HostError):
            host.iptables_restore(variant, good + bad, ipv6=False)
        saved = host.iptables_save(variant, ipv6=False)
        assert ("WORMHOLE-A" in saved, "WORMHOLE-B" in saved) == (True, False)
