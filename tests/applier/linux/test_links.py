from collections.abc import Callable

import pytest

from applier.errors import Exists, HostError, Missing
from applier.host import Link
from applier.linux.host import LinuxHost

pytestmark = pytest.mark.kernel

MAC = "02:00:00:00:00:07"
Ip = Callable[..., str]


def make_bridge(host: LinuxHost, name: str = "br0", mtu: int = 1440) -> None:
    host.create_bridge(name, mac=MAC, mtu=mtu, group=9806)


def test_a_bridge_is_made_down_with_all_that_was_asked_for(host: LinuxHost) -> None:
    make_bridge(host)
    expected = Link(name="br0", kind="bridge", group=9806, mtu=1440, mac=MAC, up=False)
    assert expected == host.link("br0")


def test_links_shows_every_link_as_link_does(host: LinuxHost, ip: Ip) -> None:
    make_bridge(host)
    ip("link add veth-a type veth peer name veth-b")
    seen = {link.name: link for link in host.links()}
    assert {"lo", "br0", "veth-a", "veth-b"} == set(seen)
    assert {name: host.link(name) for name in seen} == seen
    assert seen["veth-a"].kind == "veth"


def test_a_link_that_is_not_there_is_none(host: LinuxHost) -> None:
    assert host.link("nowhere") is None


def test_a_port_that_leaves_does_not_take_the_mtu_of_a_bridge_along(
    host: LinuxHost, ip: Ip
) -> None:
    make_bridge(host)
    ip("link add veth-a mtu 1400 type veth peer name veth-b", "link set veth-a master br0")
    joined = host.link("br0")
    ip("link set veth-a nomaster")
    left = host.link("br0")
    assert [link.mtu for link in (joined, left) if link] == [1440, 1440]


@pytest.mark.parametrize(
    "change", [{"mtu": 1300}, {"mac": "02:00:00:00:00:08"}, {"group": 7}, {"up": True}], ids=str
)
def test_only_what_is_given_is_changed(host: LinuxHost, change: dict[str, object]) -> None:
    make_bridge(host)
    make_bridge(host, "br1")
    before = {link.name: link for link in host.links()}
    host.set_link("br0", **change)  # type: ignore[arg-type]  # each case fits its parameter
    after = {link.name: link for link in host.links()}
    changed = {
        field: getattr(after["br0"], field)
        for field in before["br0"].__struct_fields__
        if getattr(after["br0"], field) != getattr(before["br0"], field)
    }
    assert change == changed
    assert before["br1"] == after["br1"]


def test_a_link_goes_down_again(host: LinuxHost) -> None:
    make_bridge(host)
    host.set_link("br0", up=True)
    host.set_link("br0", up=False)
    link = host.link("br0")
    assert link
    assert not link.up


def test_a_deleted_link_is_gone_and_missing_the_second_time(host: LinuxHost) -> None:
    make_bridge(host)
    host.delete_link("br0")
    assert host.link("br0") is None
    with pytest.raises(
        Missing, match=r"^delete link br0: No such device \(link br0\) \(code 19\)$"
    ):
        host.delete_link("br0")


def test_a_name_that_is_taken_is_refused_whatever_has_it(host: LinuxHost) -> None:
    before = host.links()
    with pytest.raises(Exists, match=r"^create bridge lo: File exists"):
        make_bridge(host, "lo")
    assert before == host.links()


def test_what_the_kernel_says_of_a_refusal_is_passed_on(host: LinuxHost) -> None:
    make_bridge(host)
    with pytest.raises(HostError) as caught:
        host.set_link("br0", mtu=99_999_999)
    assert str(caught.value) == (
        "set link br0 mtu 99999999: Invalid argument (mtu greater than device maximum) (code 22)"
    )


def test_nonsense_is_refused_before_it_is_sent(host: LinuxHost) -> None:
    make_bridge(host)
    with pytest.raises(HostError, match=r"^set link br0 mac zz: could not be put into a message"):
        host.set_link("br0", mac="zz")


def test_setting_a_link_that_is_not_there_is_missing(host: LinuxHost) -> None:
    with pytest.raises(Missing, match=r"^set link br0 group 5: No such device"):
        host.set_link("br0", group=5)
