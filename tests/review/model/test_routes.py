"""Local table, longest match, metric, unreachable, and what comes with an address."""

import pytest
from inventories import make_inventory, make_mesh, make_node
from msgspec.structs import replace
from stories import POD_A, POD_B, A, B, change_host, decisions, ending, make_documents, send

from compiler.compile import compile_mesh
from review.model.packet import Entry
from review.model.story import Fate, Stage
from schemas.state import Documents, Route, RouteType
from schemas.values import InterfaceName, Prefix

DUAL = make_documents(dual=True)


def with_routes(*routes: Route) -> Documents:
    documents = make_documents()
    return change_host(documents, A, lambda host: replace(host, routes=(*host.routes, *routes)))


def make_route(destination: str, metric: int, device: str | None = None) -> Route:
    return Route(
        destination=Prefix(destination),
        type=RouteType.UNICAST if device else RouteType.UNREACHABLE,
        metric=metric,
        device=InterfaceName(device) if device else None,
    )


def test_the_longest_prefix_wins_over_a_better_metric() -> None:
    story = send(POD_A, POD_B, documents=with_routes(make_route("10.244.2.0/24", 9999)))

    assert ending(story) == (Fate.UNREACHABLE, A, "unreachable: 10.244.2.0/24, metric 9999")


def test_of_equal_prefixes_the_least_metric_wins() -> None:
    story = send(POD_A, POD_B, documents=with_routes(make_route("10.244.0.0/16", 10)))

    assert ending(story) == (Fate.UNREACHABLE, A, "unreachable: 10.244.0.0/16, metric 10")


def test_the_host_s_own_addresses_come_before_any_route() -> None:
    story = send(POD_A, "10.244.1.1", documents=with_routes(make_route("10.244.1.1/32", 1)))

    assert story.fate is Fate.DELIVERED
    assert decisions(story, Stage.ROUTE) == ["to this host: 10.244.1.1 is its own, on wormhole-br0"]


def test_an_overlay_packet_by_a_device_that_is_not_the_tunnel_meets_the_guard() -> None:
    story = send(POD_A, POD_B, documents=with_routes(make_route("10.244.2.0/24", 1, "eth9")))

    assert ending(story) == (Fate.DROPPED, A, "dropped: the overlay is never sent in clear (guard)")


def test_a_packet_for_a_pod_that_nobody_can_be_finds_no_neighbour() -> None:
    story = send("", "10.244.1.5", entry=Entry.HOST)

    assert ending(story) == (
        Fate.UNREACHABLE,
        A,
        "unreachable: no pod gets 10.244.1.5, so nobody on wormhole-br0 answers",
    )


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        (
            "10.244.2.255",
            "to this host: 10.244.2.255 is its own broadcast address, on wormhole-br0",
        ),
        (
            "fd00:244:0:2::",
            "to this host: fd00:244:0:2:: is its own anycast address, on wormhole-br0",
        ),
    ],
)
def test_the_last_address_of_ipv4_and_the_first_of_ipv6_are_the_host_s(
    destination: str, expected: str
) -> None:
    source = POD_A if "." in destination else "fd00:244:0:1::a"
    story = send(source, destination, documents=DUAL)

    assert (story.fate, story.host) == (Fate.DELIVERED, B)
    assert decisions(story, Stage.ROUTE, B) == [expected]


def test_a_host_s_own_broadcast_reaches_every_pod() -> None:
    story = send("", "10.244.1.255", entry=Entry.HOST)

    assert ending(story) == (Fate.DELIVERED, A, "reaches every pod by wormhole-br0")


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_host_that_does_not_forward_swallows_what_is_for_its_pods(family: str) -> None:
    documents = change_host(DUAL, B, lambda host: replace(host, sysctls={}))
    ipv6 = family == "ipv6"
    source, to = ("fd00:244:0:1::a", "fd00:244:0:2::a") if ipv6 else (POD_A, POD_B)
    setting = "net.ipv6.conf.all.forwarding" if ipv6 else "net.ipv4.ip_forward"

    assert ending(send(source, to, documents=documents)) == (
        Fate.DROPPED,
        B,
        f"dropped: {setting} is not on, so the host forwards nothing",
    )


def test_a_host_that_does_not_forward_still_takes_what_is_its_own() -> None:
    documents = change_host(make_documents(), B, lambda host: replace(host, sysctls={}))

    assert send(POD_A, "10.244.2.1", documents=documents).fate is Fate.DELIVERED


def test_a_process_that_sends_to_a_link_must_say_which() -> None:
    story = send("", "fe80::1", entry=Entry.HOST, documents=DUAL)

    assert ending(story) == (
        Fate.UNREACHABLE,
        A,
        "unreachable: fe80::1 is on a link, but on which?",
    )


@pytest.mark.parametrize("pods", ["10.244.0.0/16", "fd00:244::/48"])
def test_the_route_of_an_address_comes_before_ours_where_they_are_of_one_prefix(pods: str) -> None:
    """Metric 0 in IPv4 and 256 in IPv6 against our 1024: a pod CIDR may be the whole overlay."""
    node = make_node("node-a", pods, endpoint="192.0.2.1:9806")
    documents = compile_mesh(make_inventory(make_mesh(pods), node))
    pod = "10.244.7.7" if "." in pods else "fd00:244::7:7"
    story = send("", pod, entry=Entry.HOST, documents=documents)

    assert story.fate is Fate.DELIVERED
    assert decisions(story, Stage.ROUTE) == [f"by wormhole-br0: {pods} is on link there"]
