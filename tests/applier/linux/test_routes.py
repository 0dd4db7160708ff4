from collections.abc import Callable

import pytest

from applier.errors import Exists, HostError, Missing
from applier.host import LiveRoute
from applier.linux.decode import ROUTE_HEADER, RTM_F_CLONED, decode_route
from applier.linux.host import LinuxHost
from applier.linux.netlink import Netlink, SocketChannel
from applier.linux.network import NetworkDoors
from schemas.values import Prefix

pytestmark = pytest.mark.kernel

Ip = Callable[..., str]
OURS = 87
WORST = 4_294_967_295
OVERLAYS = ["10.244.0.0/16", "fd00:244::/48"]


@pytest.fixture(autouse=True)
def _links(ip: Ip) -> None:
    ip(
        "link set lo up",
        "link add eth0 type veth peer name wire0",
        "link add wg0 type veth peer name wire1",
        *(f"link set {link} up" for link in ("eth0", "wire0", "wg0", "wire1")),
        "address add 192.0.2.1/24 dev eth0",
        "address add 2001:db8::1/64 dev eth0 nodad",
    )


def unicast(destination: str, **changed: object) -> LiveRoute:
    fields = {"metric": 1024, "type": "unicast", "protocol": OURS, "device": "wg0"}
    return LiveRoute(destination=Prefix(destination), **{**fields, **changed})  # type: ignore[arg-type]  # cases fit


def guard(destination: str, **changed: object) -> LiveRoute:
    return unicast(destination, **{"metric": WORST, "type": "unreachable", "device": "", **changed})


def configured(host: LinuxHost) -> list[LiveRoute]:
    """Everything but what the kernel itself made from addresses."""
    return [route for route in host.routes() if route.protocol != 2]


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("make", [unicast, guard])
def test_a_route_reads_back_as_it_was_added(
    host: LinuxHost, overlay: str, make: Callable[[str], LiveRoute]
) -> None:
    route = make(overlay)
    host.add_route(route)
    assert [route] == configured(host)


@pytest.mark.parametrize("kind", ["unreachable", "blackhole", "prohibit", "throw"])
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_rejecting_type_is_told_apart(host: LinuxHost, overlay: str, kind: str) -> None:
    route = guard(overlay, type=kind)
    host.add_route(route)
    assert [route] == configured(host)
    host.delete_route(route)
    assert configured(host) == []


def test_other_peoples_routes_are_read_whatever_their_shape(host: LinuxHost, ip: Ip) -> None:
    ip(
        "route add default via 192.0.2.254",
        "route add 10.7.0.0/16 nexthop via 192.0.2.5 nexthop via 192.0.2.6 dev eth0",
        "route add 10.8.0.0/16 via inet6 fe80::9 dev eth0",
        "route add default via 2001:db8::fe metric 7 proto ra",
        "route add fd00:7::/64 nexthop via 2001:db8::5 nexthop via 2001:db8::6",
        "route add 10.9.0.0/16 dev wg0 table 100",
    )
    foreign = {"metric": 0, "device": "eth0", "protocol": 3}
    both = {"device": "eth0,eth0"}
    assert [
        unicast("0.0.0.0/0", **foreign, gateway="192.0.2.254"),
        unicast("10.7.0.0/16", **{**foreign, **both}, gateway="192.0.2.5,192.0.2.6"),
        unicast("10.8.0.0/16", **foreign, gateway="fe80::9"),
        unicast("fd00:7::/64", **both, protocol=3, gateway="2001:db8::5,2001:db8::6"),
        unicast("::/0", metric=7, device="eth0", protocol=9, gateway="2001:db8::fe"),
    ] == configured(host)


def test_a_network_without_any_route_has_no_routes_and_says_so(host: LinuxHost, ip: Ip) -> None:
    ip("link delete eth0", "link delete wg0", "link set lo down")
    assert host.routes() == ()


@pytest.mark.parametrize(
    ("table", "kind", "flags", "shown"),
    [(254, 1, 0, True), (254, 1, RTM_F_CLONED, False), (255, 1, 0, False), (254, 2, 0, False)],
    ids=["configured", "remembered for a destination", "of another table", "for this host"],
)
def test_only_what_somebody_configured_in_the_main_table_is_a_route(
    table: int, kind: int, flags: int, *, shown: bool
) -> None:
    payload = ROUTE_HEADER.pack(2, 0, 0, 0, table, 3, 0, kind, flags)
    assert shown == (decode_route(payload, str) is not None)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_somebody_elses_route_at_our_key_is_not_touched_by_add_or_delete(
    host: LinuxHost, ip: Ip, overlay: str
) -> None:
    ip(f"route add {overlay} dev eth0 metric 1024 proto 12")
    foreign = configured(host)
    with pytest.raises(Exists, match=r"^add route unicast .* metric 1024 proto 87 dev wg0: File"):
        host.add_route(unicast(overlay))
    for ours in (unicast(overlay), unicast(overlay, device="eth0"), guard(overlay)):
        with pytest.raises(Missing, match=r"^delete route .*: No such process"):
            host.delete_route(ours)
    assert foreign == configured(host)


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize(
    "other",
    [
        {"metric": 1025},
        {"device": "eth0"},
        {"protocol": 88},
        {"type": "unreachable", "device": ""},
        {"gateway": "GATEWAY", "device": "eth0"},
    ],
    ids=str,
)
def test_a_route_is_deleted_by_all_of_its_key(
    host: LinuxHost, overlay: str, other: dict[str, object]
) -> None:
    there = unicast(overlay)
    host.add_route(there)
    gateway = "2001:db8::9" if ":" in overlay else "192.0.2.9"
    asked = {key: gateway if value == "GATEWAY" else value for key, value in other.items()}
    with pytest.raises(Missing):
        host.delete_route(unicast(overlay, **asked))
    assert [there] == configured(host)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_deleting_a_route_leaves_the_guard_and_the_other_way_round(
    host: LinuxHost, overlay: str
) -> None:
    host.add_route(unicast(overlay))
    host.add_route(guard(overlay))
    host.delete_route(unicast(overlay))
    assert [guard(overlay)] == configured(host)
    host.add_route(unicast(overlay))
    host.delete_route(guard(overlay))
    assert [unicast(overlay)] == configured(host)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_guard_outlives_the_device(host: LinuxHost, ip: Ip, overlay: str) -> None:
    host.add_route(unicast(overlay))
    host.add_route(guard(overlay))
    ip("link delete wg0")
    assert [guard(overlay)] == configured(host)


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize(
    "before", [{"device": "eth0"}, {"type": "unreachable", "device": ""}], ids=str
)
def test_replacing_puts_ours_right_in_place(
    host: LinuxHost, overlay: str, before: dict[str, object]
) -> None:
    host.add_route(unicast(overlay, **before))
    host.replace_route(unicast(overlay))
    assert [unicast(overlay)] == configured(host)


def test_a_route_that_was_made_multipath_is_not_equal_and_is_put_right(
    host: LinuxHost, ip: Ip
) -> None:
    route = unicast("fd00:244::/48", gateway="2001:db8::9", device="eth0")
    host.add_route(route)
    ip("route append fd00:244::/48 via 2001:db8::a dev eth0 metric 1024 proto 87")
    assert [route] != configured(host)
    host.replace_route(route)
    assert [route] == configured(host)


def test_a_route_over_a_device_that_is_not_there_is_missing(host: LinuxHost) -> None:
    with pytest.raises(Missing) as caught:
        host.add_route(unicast("10.244.0.0/16", device="nowhere"))
    assert str(caught.value) == (
        "add route unicast 10.244.0.0/16 metric 1024 proto 87 dev nowhere: "
        "No such device (link nowhere) (code 19)"
    )


def test_what_the_kernel_says_of_a_refused_route_is_passed_on(host: LinuxHost) -> None:
    with pytest.raises(HostError) as caught:
        host.add_route(unicast("10.244.0.0/16", gateway="203.0.113.1"))
    assert str(caught.value) == (
        "add route unicast 10.244.0.0/16 metric 1024 proto 87 via 203.0.113.1 dev wg0: "
        "Network is unreachable (Nexthop has invalid gateway) (code 101)"
    )


def test_a_route_to_a_device_is_of_link_scope_as_ip_makes_it(host: LinuxHost, ip: Ip) -> None:
    host.add_route(unicast("10.244.0.0/16"))
    ip("route add 10.245.0.0/16 dev wg0 metric 1024 proto 87")
    shown = ip("route show proto 87").replace("10.245", "10.244").splitlines()
    assert shown[0] == shown[1]


def test_a_kernel_that_does_not_filter_dumps_gives_the_same(host: LinuxHost, ip: Ip) -> None:
    ip(
        *(f"route add 10.{number}.0.0/16 dev eth0 table 100" for number in range(20)),
        "route add default via 192.0.2.254",
        "address add 198.51.100.1/24 dev wg0",
    )
    unfiltered = NetworkDoors(SocketChannel)
    assert unfiltered.routes() == host.routes()
    assert unfiltered.links() == host.links()
    assert {link: unfiltered.addresses(link) for link in ("eth0", "wg0")} == {
        "eth0": ("192.0.2.1/24", "2001:db8::1/64"),
        "wg0": ("198.51.100.1/24",),
    }
    unfiltered.close()


def test_the_kernel_sends_no_routes_of_other_tables(
    host: LinuxHost, ip: Ip, monkeypatch: pytest.MonkeyPatch
) -> None:
    ip(*(f"route add 10.{number}.0.0/16 dev eth0 table 100" for number in range(20)))
    sent: list[bytes] = []
    dump = Netlink.dump

    def note(self: Netlink, kind: int, payload: bytes) -> list[bytes]:
        sent.extend(parts := dump(self, kind, payload))
        return parts

    monkeypatch.setattr(Netlink, "dump", note)
    assert len(host.routes()) == len(sent)
