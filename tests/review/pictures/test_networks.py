"""Nodes are grouped by the network of their endpoints, into a dozen groups at most."""

from review.pictures.networks import group_by_network
from review.pictures.picture import Node


def make_nodes(*endpoints: str | None) -> list[Node]:
    return [Node(name=f"n{index}", endpoint=endpoint) for index, endpoint in enumerate(endpoints)]


def labels(*endpoints: str | None) -> list[str]:
    return [group.label for group in group_by_network(make_nodes(*endpoints))]


def test_groups_are_in_the_order_of_addresses_ipv4_first_and_silent_last() -> None:
    assert labels("[2001:db8::1]:9806", None, "192.0.2.9:1", "10.0.0.1:1", "192.0.2.1:1") == [
        "10.0.0.0/24",
        "192.0.2.0/24",
        "2001:db8::/64",
        "no endpoint: speak first",
    ]


def test_networks_widen_until_there_are_a_dozen() -> None:
    assert labels(*(f"10.0.{number}.1:1" for number in range(12)))[-1] == "10.0.11.0/24"
    assert labels(*(f"10.0.{number}.1:1" for number in range(13))) == ["10.0.0.0/20"]
    scattered = [f"{number}.0.0.1:1" for number in range(1, 224)]
    assert labels(*scattered) == ["all IPv4 endpoints"]


def test_every_node_is_in_one_group() -> None:
    nodes = make_nodes(*(f"10.{number}.0.1:1" for number in range(40)), None, "nowhere", "[::1]:1")
    grouped = [node for group in group_by_network(nodes) for node in group.nodes]
    assert sorted(grouped, key=lambda node: node.name) == sorted(nodes, key=lambda node: node.name)
