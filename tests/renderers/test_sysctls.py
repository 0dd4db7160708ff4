from msgspec.structs import replace

from renderers import sysctls
from schemas.state import ResolvedHost


def test_parameters_are_sorted(resolved: ResolvedHost) -> None:
    host = replace(
        resolved.host,
        sysctls={"net.ipv6.conf.all.forwarding": "1", "net.ipv4.ip_forward": "1"},
    )
    expected = """\
# node-b, mesh demo: kernel parameters
# load: sysctl -p sysctl.conf

net.ipv4.ip_forward = 1
net.ipv6.conf.all.forwarding = 1
"""
    assert {"sysctl.conf": expected} == sysctls.render(host)
