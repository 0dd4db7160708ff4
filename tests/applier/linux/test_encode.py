"""pyroute2, which no code of ours imports, reads what ours encodes."""

import pytest
from pyroute2.netlink import nlmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from applier.host import LiveRoute
from applier.linux import encode
from applier.linux.decode import AddressRecord
from schemas.values import Prefix

HEADER = 16


def read(message_class: type[nlmsg], payload: bytes) -> dict[str, object]:
    """Read a payload; attributes by name, fields that are not 0 by theirs."""
    size = (HEADER + len(payload)).to_bytes(4, "little")
    message = message_class(size + bytes(HEADER - 4) + payload)
    message.decode()
    fields = {name: message[name] for name, _ in message_class.fields if message[name]}
    return fields | {name: _plain(value) for name, value in message["attrs"]}


def _plain(value: object) -> object:
    return dict(value["attrs"]) if isinstance(value, dict) else value


def test_a_new_link_has_its_group_and_address_from_the_start() -> None:
    assert read(
        ifinfmsg, encode.new_link("br0", "bridge", group=9806, mac="02:00:00:00:00:fe")
    ) == {
        "IFLA_IFNAME": "br0",
        "IFLA_GROUP": 9806,
        "IFLA_LINKINFO": {"IFLA_INFO_KIND": "bridge"},
        "IFLA_ADDRESS": "02:00:00:00:00:fe",
    }


def test_only_what_is_given_about_a_link_is_sent() -> None:
    assert read(ifinfmsg, encode.changed_link(7, mtu=1440)) == {"index": 7, "IFLA_MTU": 1440}
    assert read(ifinfmsg, encode.changed_link(7, group=0)) == {"index": 7, "IFLA_GROUP": 0}
    assert read(ifinfmsg, encode.changed_link(7, up=True)) == {"index": 7, "flags": 1, "change": 1}
    assert read(ifinfmsg, encode.changed_link(7, up=False)) == {"index": 7, "change": 1}
    assert read(ifinfmsg, encode.link_of(7)) == {"index": 7}
    assert read(ifinfmsg, encode.link_named("wg0")) == {"IFLA_IFNAME": "wg0"}


def test_an_ipv6_address_asks_nobody_whether_it_is_taken() -> None:
    assert read(ifaddrmsg, encode.new_address(7, "fd00::1/64")) == {
        "family": 10,
        "prefixlen": 64,
        "index": 7,
        "IFA_LOCAL": "fd00::1",
        "IFA_ADDRESS": "fd00::1",
        "IFA_FLAGS": 2,
    }
    assert "IFA_FLAGS" not in read(ifaddrmsg, encode.new_address(7, "10.0.0.1/24"))


def test_an_address_with_a_peer_is_deleted_by_both() -> None:
    record = AddressRecord(2, "10.0.0.1", "10.0.0.9", 32, secondary=False, link_local=False)
    assert read(ifaddrmsg, encode.old_address(7, record)) == {
        "family": 2,
        "prefixlen": 32,
        "index": 7,
        "IFA_LOCAL": "10.0.0.1",
        "IFA_ADDRESS": "10.0.0.9",
    }


@pytest.mark.parametrize(
    ("destination", "gateway", "scope"),
    [
        ("10.0.0.0/8", "", {"scope": 253}),
        ("10.0.0.0/8", "192.0.2.1", {"RTA_GATEWAY": "192.0.2.1"}),
        ("fd00::/8", "", {}),
    ],
)
def test_a_route_says_whose_it_is_and_how_far_it_reaches(
    destination: Prefix, gateway: str, scope: dict[str, object]
) -> None:
    route = LiveRoute(
        destination=destination, metric=1024, type="unicast", protocol=87, gateway=gateway
    )
    assert read(rtmsg, encode.new_route(route, 7)) == {
        "family": 10 if ":" in destination else 2,
        "dst_len": 8,
        "table": 254,
        "proto": 87,
        "type": 1,
        "RTA_TABLE": 254,
        "RTA_PRIORITY": 1024,
        "RTA_DST": destination.removesuffix("/8"),
        "RTA_OIF": 7,
        **scope,
    }


def test_a_default_route_has_no_destination_and_a_guard_no_device() -> None:
    guard = LiveRoute(destination=Prefix("::/0"), metric=2**32 - 1, type="unreachable", protocol=87)
    assert read(rtmsg, encode.old_route(guard, 0)) == {
        "family": 10,
        "table": 254,
        "proto": 87,
        "scope": 255,
        "type": 7,
        "RTA_TABLE": 254,
        "RTA_PRIORITY": 2**32 - 1,
    }
