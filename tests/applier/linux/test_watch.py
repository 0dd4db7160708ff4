"""What the running kernel tells about, and whom it names."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from applier.errors import Unobservable
from applier.host import LiveRoute
from applier.linux import watch as module
from applier.linux.attention import Event, EventKind
from applier.linux.host import LinuxHost
from applier.linux.watch import KernelWatch
from schemas.values import InterfaceAddress, Prefix

pytestmark = pytest.mark.kernel

Ip = Callable[..., str]
WG, BR = "wormhole-wg0", "wormhole-br0"
OVERLAYS = ("10.244.0.0/16", "fd00:244::/48")
MAC = "02:00:00:00:00:07"


@pytest.fixture
def watch(ip: Ip) -> Iterator[KernelWatch]:
    """A watch on a host with our two links, which are up, and a link of the host's own."""
    ip(
        "link set lo up",
        "link add eth0 type veth peer name wire0",
        f"link add {WG} type veth peer name wire1",
        f"link add {BR} address {MAC} type bridge",
        *(f"link set {link} group 9806" for link in (WG, BR)),
        *(f"link set {link} up" for link in ("eth0", "wire0", WG, "wire1", BR)),
    )
    time.sleep(0.1)
    with KernelWatch() as kernel_watch:
        kernel_watch.concern((WG, BR), OVERLAYS)
        kernel_watch.wait(0.1)
        yield kernel_watch


@contextmanager
def slow_ip(*lines: str) -> Iterator[int]:
    """Run ``ip`` commands and let it live on while the block runs; yield its process id."""
    command = ["ip", "-batch", "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as process:
        assert process.stdin
        process.stdin.write("".join(f"{line}\n" for line in lines))
        process.stdin.flush()
        yield process.pid


def told(watch: KernelWatch) -> list[str]:
    """Spell what is told within half a second, each once."""
    events = watch.wait(0.5)
    return list(
        dict.fromkeys(f"{'-' if one.gone else '+'} {one.kind} {one.what}" for one in events)
    )


def unicast(destination: str, device: str = WG) -> LiveRoute:
    return LiveRoute(
        destination=Prefix(destination), metric=1024, type="unicast", protocol=87, device=device
    )


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_who_deletes_a_route_is_named(watch: KernelWatch, host: LinuxHost, overlay: str) -> None:
    host.add_route(unicast(overlay))
    with slow_ip(f"route delete {overlay} metric 1024") as pid:
        events = watch.wait(5)
    what = f"{overlay} metric 1024"
    assert events == (Event(kind=EventKind.ROUTE, what=what, gone=True, port=pid, who="ip"),)


def test_who_ended_at_once_is_known_by_number_at_least(watch: KernelWatch, ip: Ip) -> None:
    ip(f"route add unreachable {OVERLAYS[0]} metric 4294967295 proto 87")
    (event,) = watch.wait(5)
    assert (event.what, event.gone) == (f"{OVERLAYS[0]} metric 4294967295", False)
    assert event.port > 1
    assert event.who in {"ip", ""}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((f"link set {BR} mtu 1400",), [f"+ link {BR}"]),
        ((f"link set {BR} down",), [f"+ link {BR}"]),
        ((f"link set {BR} address 02:00:00:00:00:08",), [f"+ link {BR}"]),
        ((f"link set {BR} group 0",), [f"+ link {BR}"]),
        ((f"link delete {BR}",), [f"+ link {BR}", f"- link {BR}"]),
        ((f"link set {BR} down", f"link set {BR} name br9"), [f"+ link {BR}", f"- link {BR}"]),
        ((f"address add 10.244.1.9/24 dev {BR}",), [f"+ address {BR} 10.244.1.9/24"]),
        (
            (f"address add fd00:244:0:1::9/64 dev {BR} nodad",),
            [f"+ address {BR} fd00:244:0:1::9/64"],
        ),
        (
            (f"route add 10.244.7.0/24 dev {WG}",),
            ["+ route 10.244.7.0/24 metric 0"],
        ),
        (
            (f"route add fd00:244:0:7::/64 dev {WG}",),
            ["+ route fd00:244:0:7::/64 metric 1024"],
        ),
        (
            ("route add 203.0.113.0/24 dev eth0 proto 87",),
            ["+ route 203.0.113.0/24 metric 0"],
        ),
        (("rule add to 10.244.0.0/16 lookup 77 priority 9",), ["+ rule IPv4 rule 9 to table 77"]),
        (("rule add lookup 300 priority 9",), ["+ rule IPv4 rule 9 to table 300"]),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_a_change_of_ours_by_somebody_is_told(
    watch: KernelWatch, ip: Ip, lines: tuple[str, ...], expected: list[str]
) -> None:
    ip(*lines)
    assert told(watch) == expected


def test_an_ipv6_rule_is_told(watch: KernelWatch) -> None:
    rule = ("rule", "add", "to", "fd00:244::/32", "lookup", "77", "priority", "9")
    subprocess.run(["ip", "-6", *rule], check=True)
    assert told(watch) == ["+ rule IPv6 rule 9 to table 77"]


def test_a_link_that_takes_our_name_is_told(watch: KernelWatch, ip: Ip) -> None:
    ip(f"link delete {WG}")
    assert f"- link {WG}" in told(watch)
    ip(f"link add {WG} type bridge")
    assert told(watch) == [f"+ link {WG}"]
    ip(f"link delete {WG}", "link set eth0 down", f"link set eth0 name {WG}")
    assert told(watch) == [f"- link {WG}", f"+ link {WG}"]


def test_an_address_is_known_by_its_link_after_a_rename(watch: KernelWatch, ip: Ip) -> None:
    ip("link add br7 type bridge", "link set br7 name br8", "link set br8 up")
    ip("link set br8 group 9806")  # the kernel tells of it because the link is up
    assert told(watch) == ["+ link br8"]
    ip("address add 192.0.2.9/24 dev br8")
    assert told(watch) == ["+ address br8 192.0.2.9/24"]


def test_what_is_none_of_ours_wakes_nobody(watch: KernelWatch, ip: Ip) -> None:
    ip(
        "link set eth0 mtu 1400",
        "link add veth1 type veth peer name veth2",
        f"link set veth1 master {BR} up",
        "link set veth2 up",
        "address add 192.0.2.1/24 dev eth0",
        "address add 2001:db8::1/64 dev eth0 nodad",
        "route add 0.0.0.0/0 via 192.0.2.254",
        "route add 10.0.0.0/8 via 192.0.2.254",
        "route add 10.245.0.0/16 via 192.0.2.254",
        "route add ::/0 via 2001:db8::fe",
        "route add 10.244.1.0/24 via 192.0.2.254 table 77",
        "route add 10.244.2.0/24 via 192.0.2.254 proto 87 table 300",
        "rule add from 192.0.2.77 lookup 77",
        "rule add to 198.51.100.0/24 lookup 77",
    )
    assert watch.wait(2.5) == ()  # longer than a bridge's first port takes (RFC 4862, 5.4)
    ip("link delete veth1")
    assert watch.wait(1) == ()


def test_names_and_overlays_can_change(watch: KernelWatch, ip: Ip) -> None:
    watch.concern(("eth0",), ("10.245.0.0/16",))
    ip("link set eth0 mtu 1400", f"route add 10.244.1.0/24 dev {WG}")
    assert told(watch) == ["+ link eth0"]
    ip(f"route add 10.245.1.0/24 dev {WG}")
    assert told(watch) == ["+ route 10.245.1.0/24 metric 0"]


def test_our_own_routes_and_addresses_wake_nobody(watch: KernelWatch, host: LinuxHost) -> None:
    for overlay in OVERLAYS:
        host.add_route(unicast(overlay))
        host.delete_route(unicast(overlay))
    host.add_address(BR, InterfaceAddress("10.244.1.1/24"))
    with LinuxHost(host._wireguard._kernel._vault) as other:
        other.add_route(unicast(OVERLAYS[0]))
    assert watch.wait(0.5) == ()


def test_another_process_of_ours_is_another_process(watch: KernelWatch) -> None:
    script = (
        "from pathlib import Path; from applier.linux.host import LinuxHost;"
        "from applier.vault import Vault; from applier.host import LiveRoute;"
        "LinuxHost(Vault(b'')).add_route(LiveRoute(destination='10.244.0.0/16', metric=1024,"
        f"type='unicast', protocol=87, device='{WG}'))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
    assert told(watch) == ["+ route 10.244.0.0/16 metric 1024"]


def test_a_flood_elsewhere_is_read_and_costs_little(watch: KernelWatch, ip: Ip) -> None:
    ip("address add 192.0.2.1/24 dev eth0")
    lines = [f"route add 172.16.{n >> 8}.{n & 255}/32 via 192.0.2.254" for n in range(10_000)]
    text = "".join(f"{line}\n" for line in lines)
    with subprocess.Popen(["ip", "-batch", "-"], stdin=subprocess.PIPE, text=True) as process:
        assert process.stdin
        process.stdin.write(text)
        process.stdin.close()
        before = time.thread_time()
        events: list[Event] = []
        while process.poll() is None:
            events += watch.wait(0.2)
        events += watch.wait(0.2)
        spent = time.thread_time() - before
    assert {event.kind for event in events} <= {EventKind.LOST}
    assert spent < 2
    ip(f"route add 10.244.7.0/24 dev {WG}")
    assert told(watch) == ["+ route 10.244.7.0/24 metric 0"]


def test_an_overrun_is_told_and_survived(
    watch: KernelWatch, ip: Ip, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        with monkeypatch.context() as patch:
            patch.setattr(module, "_BUFFER", 1)
            narrow = stack.enter_context(KernelWatch())
        narrow.concern((WG, BR), OVERLAYS)
        ip(
            *(f"route add 172.16.0.{n}/32 dev {WG}" for n in range(200)),
            "link add br7 type bridge",
            "link set br7 name br8",
            "link set br8 group 9806",
        )
        assert [event.kind for event in narrow.wait(0.5)] == [EventKind.LOST]
        ip("address add 192.0.2.9/24 dev br8")  # a link that only the lost messages told of
        assert told(narrow) == ["+ address br8 192.0.2.9/24"]
    del watch


def test_waiting_takes_as_long_as_it_may_and_costs_nothing(watch: KernelWatch) -> None:
    before, cost = time.monotonic(), time.thread_time()
    assert watch.wait(0.3) == ()
    assert 0.3 <= time.monotonic() - before < 1
    assert time.thread_time() - cost < 0.01


def test_a_watch_that_is_not_open_says_so() -> None:
    with pytest.raises(Unobservable) as caught:
        KernelWatch().wait(0.1)
    assert str(caught.value) == "watch the network: [Errno 9] not open"
