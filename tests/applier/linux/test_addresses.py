import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from applier.errors import Exists, Missing
from applier.linux.host import LinuxHost
from schemas.values import InterfaceAddress

pytestmark = pytest.mark.kernel

Ip = Callable[..., str]
FIRST, SECOND = InterfaceAddress("10.1.0.1/24"), InterfaceAddress("10.1.0.2/24")
IPV6 = InterfaceAddress("fd00:1::1/64")


@pytest.fixture(autouse=True)
def _bridge(host: LinuxHost) -> None:
    host.create_bridge("br0", mac="02:00:00:00:00:07", mtu=1440, group=9806)
    host.set_link("br0", up=True)


def test_addresses_keep_their_length_and_link_local_ones_are_left_out(
    host: LinuxHost, ip: Ip
) -> None:
    ip("link add veth-a type veth peer name veth-b", "link set veth-a master br0 up")
    ip("link set veth-b up")  # a carrier, and with it a link-local address
    host.add_address("br0", FIRST)
    host.add_address("br0", InterfaceAddress("10.9.9.9/32"))
    host.add_address("br0", IPV6)
    assert "inet6 fe80::" in subprocess.check_output(["ip", "address", "show", "br0"], text=True)
    assert {FIRST, "10.9.9.9/32", IPV6} == set(host.addresses("br0"))


def test_addresses_of_other_links_are_not_shown(host: LinuxHost) -> None:
    host.set_link("lo", up=True)
    assert host.addresses("br0") == ()
    assert {"127.0.0.1/8", "::1/128"} == set(host.addresses("lo"))


def test_no_link_has_no_addresses(host: LinuxHost) -> None:
    assert host.addresses("nowhere") == ()


def test_an_ipv6_address_is_usable_at_once(host: LinuxHost) -> None:
    host.add_address("br0", IPV6)
    shown = json.loads(subprocess.check_output(["ip", "-j", "address", "show", "br0"]))
    (address,) = (one for one in shown[0]["addr_info"] if one["local"] == "fd00:1::1")
    assert "tentative" not in address
    assert address["nodad"]


def test_an_address_twice_exists(host: LinuxHost) -> None:
    host.add_address("br0", FIRST)
    with pytest.raises(Exists, match=r"^add address 10\.1\.0\.1/24 to br0: File exists"):
        host.add_address("br0", FIRST)


@pytest.mark.parametrize("promotes", ["0", "1"])
def test_deleting_the_first_address_of_a_subnet_leaves_the_others_and_their_routes(
    host: LinuxHost, ip: Ip, promotes: str
) -> None:
    Path("/proc/sys/net/ipv4/conf/br0/promote_secondaries").write_text(promotes)
    Path("/proc/sys/net/ipv4/conf/all/promote_secondaries").write_text("0")
    host.add_address("br0", FIRST)
    host.add_address("br0", SECOND)
    ip("route add 10.7.0.0/16 via 10.1.0.9")
    host.delete_address("br0", FIRST)
    assert host.addresses("br0") == (SECOND,)
    assert "10.7.0.0/16" in {route.destination for route in host.routes()}


def test_deleting_a_lone_address_leaves_the_sysctls_of_the_link_alone(host: LinuxHost) -> None:
    promotes = Path("/proc/sys/net/ipv4/conf/br0/promote_secondaries")
    promotes.write_text("0")
    host.add_address("br0", FIRST)
    host.delete_address("br0", FIRST)
    assert promotes.read_text() == "0\n"


def test_the_length_is_part_of_an_address(host: LinuxHost) -> None:
    host.add_address("br0", FIRST)
    host.add_address("br0", InterfaceAddress("10.1.0.1/16"))
    host.delete_address("br0", InterfaceAddress("10.1.0.1/16"))
    assert host.addresses("br0") == (FIRST,)
    with pytest.raises(Missing, match=r"^delete address 10\.1\.0\.1/16 from br0: "):
        host.delete_address("br0", InterfaceAddress("10.1.0.1/16"))


def test_an_address_with_a_peer_can_be_deleted_too(host: LinuxHost, ip: Ip) -> None:
    ip("address add 10.9.0.1 peer 10.9.0.2/32 dev br0")
    ip("address add fd00:9::1 peer fd00:9::2/128 dev br0")
    for address in host.addresses("br0"):
        host.delete_address("br0", address)
    assert host.addresses("br0") == ()


def test_adding_to_a_link_that_is_not_there_is_missing(host: LinuxHost) -> None:
    with pytest.raises(Missing, match=r"^add address 10\.1\.0\.1/24 to nowhere: No such device"):
        host.add_address("nowhere", FIRST)
