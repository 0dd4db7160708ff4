"""A node's pod CIDRs change on a real kernel, whose habits with addresses are its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.mesh import Mesh
from lab.network import Lab, LabHost

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def lab(laboratory: type[Lab]) -> Iterator[Lab]:
    with laboratory() as lab:
        yield lab


@pytest.fixture(scope="module")
def host(lab: Lab) -> LabHost:
    return lab.add_host("node-a")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("10.244.0.0/24", "fd00:244::/120"), ("10.244.0.0/24", "fd00:244::/124")),
        (("10.244.0.0/24", "fd00:244::/64"), ("10.244.0.0/25", "fd00:244::/64")),
        (("10.244.0.0/24", "fd00:244::/64"), ("fd00:244::/64",)),
        (("fd00:244::/64",), ("10.244.0.0/24", "fd00:244::/64")),
    ],
    ids=["IPv6 length", "IPv4 length", "no IPv4 any more", "IPv4 again"],
)
def test_pod_cidrs_may_change_in_any_way(
    host: LabHost, tmp_path: Path, before: tuple[str, ...], after: tuple[str, ...]
) -> None:
    for prefixes in (before, after):
        mesh = Mesh(tmp_path / str(len(prefixes[-1]) + len(prefixes)))
        mesh.join(host, prefixes)
        mesh.compile(host)
        mesh.apply(host, "--allow-mass-delete")
        mesh.plan(host, expect=0)
        assert "10.244.0.0/16 dev wormhole-wg0" in host.sh("ip -4 route show proto 87")
