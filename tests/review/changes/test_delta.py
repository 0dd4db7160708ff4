"""Where two values differ, in the corners that equality would pass over."""

from typing import Any

import pytest
from inventories import make_key
from msgspec import UNSET
from msgspec.structs import replace

from review.changes.delta import Delta, find_deltas
from schemas.state import Cni, Peer
from schemas.values import Endpoint


def configured(config: dict[str, Any]) -> Cni:
    return Cni(file_name="10-wormhole.conflist", config=config)


@pytest.mark.parametrize(
    ("before", "after"), [(1, True), (1, 1.0), (0, False), ([1], [True]), ({"a": 0}, {"a": False})]
)
def test_what_python_calls_equal_and_json_does_not_is_a_difference(
    before: object, after: object
) -> None:
    found = [*find_deltas("f", configured({"x": before}), configured({"x": after}))]
    assert {delta.path[:2] for delta in found} == {("config", "x")}


def test_a_null_is_not_nothing() -> None:
    [found] = find_deltas("f", configured({"x": None}), configured({}))
    assert found == Delta("f", ("config", "x"), None, UNSET)


def test_an_absent_optional_field_is_nothing() -> None:
    peer = Peer(public_key=make_key("a"), allowed_ips=())
    there = replace(peer, endpoint=Endpoint("192.0.2.1:1"))
    assert [*find_deltas("f", peer, there)] == [Delta("f", ("endpoint",), UNSET, "192.0.2.1:1")]


def test_a_rule_in_the_middle_is_one_difference() -> None:
    before, after = configured({"x": ["a", "b", "c"]}), configured({"x": ["a", "n", "b", "c"]})
    assert [*find_deltas("f", before, after)] == [Delta("f", ("config", "x", 1), UNSET, "n")]


def test_objects_of_a_list_are_matched_by_what_they_are() -> None:
    before = configured({"plugins": [{"type": "a", "mtu": 1}, {"type": "b"}]})
    after = configured({"plugins": [{"type": "z"}, {"type": "a", "mtu": 2}, {"type": "b"}]})
    assert [*find_deltas("f", before, after)] == [
        Delta("f", ("config", "plugins", 0), UNSET, {"type": "z"}),
        Delta("f", ("config", "plugins", 0, "mtu"), 1, 2),
    ]


def test_the_ranges_of_an_ip_family_are_compared_with_those_of_the_same() -> None:
    ipv4, ipv6 = [{"subnet": "10.244.1.0/24"}], [{"subnet": "fd00:244:1::/64"}]
    before, after = configured({"ranges": [ipv4, ipv6]}), configured({"ranges": [ipv6]})

    assert [*find_deltas("f", before, after)] == [Delta("f", ("config", "ranges", 0), ipv4, UNSET)]
