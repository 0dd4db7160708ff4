from collections.abc import Callable
from pathlib import Path

import pytest

from applier.errors import HostError, Missing, Unobservable
from applier.linux.host import LinuxHost
from applier.linux.sysctl import Sysctls, sysctl_path

Ip = Callable[..., str]


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        ("net.ipv6.conf.eth0/100.forwarding", "net/ipv6/conf/eth0.100/forwarding"),
        ("net/ipv6/conf/eth0.100/forwarding", "net/ipv6/conf/eth0.100/forwarding"),
    ],
)
def test_the_first_separator_says_what_the_other_one_stands_for(key: str, path: str) -> None:
    assert sysctl_path(key) == Path("/proc/sys", path)


def test_a_container_says_where_the_parameters_may_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = tmp_path / "net/ipv4/ip_forward"
    place.parent.mkdir(parents=True)
    place.write_text("0\n")
    monkeypatch.setenv("WORMHOLE_PROC_SYS", str(tmp_path))
    Sysctls().write_sysctl("net.ipv4.ip_forward", "1")
    assert (Sysctls().read_sysctl("net.ipv4.ip_forward"), place.read_text()) == ("1", "1\n")


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "net/../../etc/passwd", "net..ipv4", "net.ipv4.", "net.//.x", "a\0b"]
)
def test_a_name_that_would_lead_elsewhere_is_refused(key: str) -> None:
    for door in (Sysctls().read_sysctl, lambda name: Sysctls().write_sysctl(name, "1")):
        with pytest.raises(HostError) as caught:
            door(key)
        assert caught.value.reason == f"{key!r} is no name of a kernel parameter"


def test_a_parameter_that_the_kernel_lacks_is_missing() -> None:
    with pytest.raises(Missing) as caught:
        Sysctls().read_sysctl("net.ipv9.ip_forward")
    assert str(caught.value) == (
        "read sysctl net.ipv9.ip_forward: No such file or directory (code 2)"
    )
    with pytest.raises(Missing) as caught:
        Sysctls().write_sysctl("net.ipv9.ip_forward", "1")
    assert str(caught.value) == (
        "write sysctl '1' to net.ipv9.ip_forward: No such file or directory (code 2)"
    )


def test_a_folder_of_parameters_is_unobservable() -> None:
    with pytest.raises(Unobservable, match=r"^read sysctl net\.ipv4: Is a directory \(code 21\)$"):
        Sysctls().read_sysctl("net.ipv4")


@pytest.mark.kernel
def test_what_is_written_reads_back_without_its_end_of_line(host: LinuxHost) -> None:
    assert host.read_sysctl("net.ipv4.ip_forward") == "0"
    host.write_sysctl("net.ipv4.ip_forward", "1")
    assert host.read_sysctl("net.ipv4.ip_forward") == "1"


@pytest.mark.kernel
def test_a_link_with_a_dot_in_its_name_is_reached(host: LinuxHost, ip: Ip) -> None:
    ip("link add eth0.100 type bridge")
    host.write_sysctl("net.ipv6.conf.eth0/100.forwarding", "1")
    assert Path("/proc/sys/net/ipv6/conf/eth0.100/forwarding").read_text() == "1\n"


@pytest.mark.kernel
def test_a_value_that_the_kernel_refuses_is_named(host: LinuxHost) -> None:
    with pytest.raises(HostError) as caught:
        host.write_sysctl("net.ipv4.ip_forward", "perhaps")
    assert str(caught.value) == (
        "write sysctl 'perhaps' to net.ipv4.ip_forward: Invalid argument (code 22)"
    )
