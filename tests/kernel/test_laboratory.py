"""The laboratory sees what it is there to see; without that, the other tests prove nothing."""

from collections.abc import Iterator

import pytest
from lab.capture import parse_frame
from lab.dumps import differences, snapshot
from lab.events import Events
from lab.network import Lab, LabHost
from lab.probes import Stream, answers_within, ping

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def hosts(laboratory: type[Lab]) -> Iterator[tuple[Lab, LabHost, LabHost]]:
    with laboratory() as lab:
        yield lab, lab.add_host("node-a"), lab.add_host("node-b")


def test_a_capture_holds_what_travels_in_clear(hosts: tuple[Lab, LabHost, LabHost]) -> None:
    lab, one, other = hosts

    with lab.capture() as capture:
        assert ping(one, other.ipv4)
        assert ping(one, other.ipv6)

    seen = {(packet.protocol, packet.source) for packet in capture.in_clear({9806})}
    assert seen == {
        ("icmp", one.ipv4),
        ("icmp", other.ipv4),
        ("icmp6", one.ipv6),
        ("icmp6", other.ipv6),
    }


def test_overlay_packets_without_an_overlay_travel_and_are_seen(
    hosts: tuple[Lab, LabHost, LabHost],
) -> None:
    lab, one, _ = hosts

    with lab.capture() as capture:
        assert not ping(one, "10.244.1.10")

    assert ("icmp", "10.244.1.10") in {
        (packet.protocol, packet.destination) for packet in capture.in_clear({9806})
    }


def test_udp_on_the_right_port_is_not_taken_for_wireguard() -> None:
    ipv4 = bytes.fromhex("45000024000000004011") + bytes(2) + bytes([192, 0, 2, 1, 192, 0, 2, 2])
    udp = (9806).to_bytes(2) * 2 + bytes(4)
    frame = bytes(12) + b"\x08\x00" + ipv4 + udp

    assert parse_frame(frame + b"\x04\x00\x00\x00more", 60).is_wireguard({9806})
    assert not parse_frame(frame + b"\x04\x00\x00\x01more", 60).is_wireguard({9806})
    assert not parse_frame(frame + b"\x45\x00\x00\x00more", 60).is_wireguard({9806})
    assert not parse_frame(frame + b"\x04\x00\x00\x00more", 60).is_wireguard({51820})


def test_events_shows_a_link_and_a_rule_that_change(
    hosts: tuple[Lab, LabHost, LabHost],
) -> None:
    host = hosts[1]

    with Events(host) as quiet:
        host.run("ip", "link", "show")
    with Events(host) as busy:
        host.ip("link set eth0 mtu 1499", "link set eth0 mtu 1500")
        host.run("iptables-nft", "-A", "INPUT", "-j", "ACCEPT")
        host.run("iptables-nft", "-D", "INPUT", "-j", "ACCEPT")

    assert quiet.seen == ()
    assert any(line.startswith("[LINK]") and "mtu 1499" in line for line in busy.seen)
    assert any(line.startswith("add rule ip filter INPUT") for line in busy.seen)


def test_a_snapshot_notices_every_kind_of_object(hosts: tuple[Lab, LabHost, LabHost]) -> None:
    host = hosts[1]
    before = snapshot(host)
    assert differences(before, snapshot(host)) == ""

    host.sh(
        "ip link add extra type bridge; ip address add 198.51.100.1/32 dev extra;"
        "ip route add blackhole 203.0.113.0/24; ip -6 route add blackhole 2001:db8:1::/48;"
        "ip rule add priority 7 lookup main; sysctl -qw net.ipv4.ip_forward=1;"
        "iptables-nft -A INPUT -j ACCEPT; ip6tables-legacy -A INPUT -j ACCEPT;"
        "echo x >/etc/cni/net.d/other.conf; touch /run/x"
    )
    after = snapshot(host)

    changed = {name for name in before if before[name] != after[name]}
    assert changed == {
        *("addresses", "cni", "ip6tables-legacy", "iptables-nft", "links", "nft", "routes"),
        *("routes6", "rules", "run", "sysctls"),
    }


@pytest.mark.parametrize(
    ("break_it", "mend_it"),
    [
        ("ip link set eth0 down", "ip link set eth0 up"),
        ("ip route add unreachable 192.0.2.1", "ip route delete unreachable 192.0.2.1"),
        (
            "iptables-nft -A INPUT -i eth0 -j DROP",
            "iptables-nft -D INPUT -i eth0 -j DROP",
        ),
    ],
    ids=["link down", "refused by the host itself", "answers dropped"],
)
def test_a_stream_counts_what_was_lost(
    hosts: tuple[Lab, LabHost, LabHost], break_it: str, mend_it: str
) -> None:
    _, one, other = hosts

    with Stream(other, one.ipv4) as stream:
        assert ping(other, one.ipv4, count=4)
        other.sh(f"{break_it}; sleep 0.3; {mend_it}")
        assert answers_within(5, other, one.ipv4)
        assert ping(other, one.ipv4, count=8)

    assert 5 < stream.lost < stream.sent


def test_a_stream_that_lost_nothing_says_so(hosts: tuple[Lab, LabHost, LabHost]) -> None:
    _, one, other = hosts

    with Stream(other, one.ipv4) as stream:
        assert ping(other, one.ipv4, count=8)

    assert stream.lost == 0
    assert stream.sent > 5
