"""A pod CIDR, divided."""

import pytest

from compiler.addresses import PodNetwork, divide
from schemas.values import InterfaceAddress, Prefix


def test_a_pod_cidr_is_divided_between_bridge_tunnel_and_pods() -> None:
    expected = PodNetwork(
        prefix=Prefix("10.244.1.0/24"),
        ipv6=False,
        gateway="10.244.1.1",
        bridge=InterfaceAddress("10.244.1.1/24"),
        tunnel=InterfaceAddress("10.244.1.2/32"),
        first_pod="10.244.1.10",
        last_pod="10.244.1.254",
    )
    assert expected == divide(Prefix("10.244.1.0/24"))


def test_ipv6_has_no_broadcast_address_to_spare() -> None:
    expected = PodNetwork(
        prefix=Prefix("fd00:244:0:1::/64"),
        ipv6=True,
        gateway="fd00:244:0:1::1",
        bridge=InterfaceAddress("fd00:244:0:1::1/64"),
        tunnel=InterfaceAddress("fd00:244:0:1::2/128"),
        first_pod="fd00:244:0:1::a",
        last_pod="fd00:244:0:1:ffff:ffff:ffff:ffff",
    )
    assert expected == divide(Prefix("fd00:244:0:1::/64"))


@pytest.mark.parametrize(
    ("prefix", "pods"),
    [
        ("10.0.0.0/8", ("10.0.0.10", "10.255.255.254")),
        ("10.244.16.0/20", ("10.244.16.10", "10.244.31.254")),
        ("10.244.1.128/25", ("10.244.1.138", "10.244.1.254")),
        ("10.244.1.240/28", ("10.244.1.250", "10.244.1.254")),
        ("fd00::/16", ("fd00::a", "fd00:ffff:ffff:ffff:ffff:ffff:ffff:ffff")),
        ("fd00::1:0/112", ("fd00::1:a", "fd00::1:ffff")),
        ("fd00::ff00/120", ("fd00::ff0a", "fd00::ffff")),
        ("fd00::fff0/124", ("fd00::fffa", "fd00::ffff")),
    ],
)
def test_pods_have_the_rest_whatever_the_length(prefix: str, pods: tuple[str, str]) -> None:
    network = divide(Prefix(prefix))
    assert pods == (network.first_pod, network.last_pod)
