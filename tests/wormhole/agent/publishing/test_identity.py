from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.problems import Problems
from schemas.validate import violations
from schemas.values import PublicKey
from wormhole.agent.publishing.identity import (
    FIELDS,
    check_endpoint,
    differs,
    owner_reference,
    wanted_object,
    wanted_spec,
    without_fields,
)

KEY = PublicKey("X+zrZv/IbzjZUnhsbWlsecLbwjndTpG0ZynXOif7V+k=")


def node(
    *addresses: tuple[str, str], uid: str = "u-1", spec: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "metadata": {"name": "node-a", "uid": uid},
        "spec": {"podCIDRs": ["10.244.1.0/24"]} if spec is None else spec,
        "status": {"addresses": [{"type": kind, "address": text} for kind, text in addresses]},
    }


def test_a_node_publishes_its_key_its_address_and_its_prefixes() -> None:
    assert wanted_spec(node(("InternalIP", "192.0.2.1")), KEY) == {
        "publicKey": KEY,
        "endpoint": "192.0.2.1",
        "podCIDRs": ["10.244.1.0/24"],
    }


@pytest.mark.parametrize(
    ("addresses", "endpoint"),
    [
        ([("ExternalIP", "198.51.100.1"), ("InternalIP", "192.0.2.1")], "192.0.2.1"),
        ([("Hostname", "node-a"), ("ExternalIP", "198.51.100.1")], "198.51.100.1"),
        ([("InternalIP", "192.0.2.1"), ("InternalIP", "192.0.2.9")], "192.0.2.1"),
        ([("InternalIP", "127.0.0.1"), ("InternalIP", "192.0.2.9")], "192.0.2.9"),
        ([("InternalIP", "2001:db8::9806")], "[2001:db8::9806]"),
        ([("Hostname", "node-a")], None),
        ([("InternalIP", "169.254.1.1")], None),
        ([], None),
    ],
)
def test_the_endpoint_is_the_first_address_that_others_can_reach(
    addresses: list[tuple[str, str]], endpoint: str | None
) -> None:
    assert wanted_spec(node(*addresses), KEY).get("endpoint") == endpoint


def test_an_operators_endpoint_goes_before_the_nodes() -> None:
    spec = wanted_spec(node(("InternalIP", "192.0.2.1")), KEY, "203.0.113.7:51000")
    assert spec["endpoint"] == "203.0.113.7:51000"


@pytest.mark.parametrize(
    ("spec", "networks"),
    [
        ({"podCIDR": "10.244.1.0/24"}, ["10.244.1.0/24"]),
        ({"podCIDR": "10.244.1.0/24", "podCIDRs": []}, ["10.244.1.0/24"]),
        (
            {"podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24", "fd00::/64"]},
            ["10.244.1.0/24", "fd00::/64"],
        ),
        ({}, None),
    ],
)
def test_pod_cidrs_are_the_nodes_list_or_its_single_one(
    spec: dict[str, Any], networks: list[str] | None
) -> None:
    assert wanted_spec(node(spec=spec), KEY).get("podCIDRs") == networks


def test_of_a_node_without_anything_only_the_key_is_published() -> None:
    assert wanted_spec(None, KEY) == {"publicKey": KEY}
    assert wanted_spec({"metadata": {"name": "a", "uid": "u"}}, KEY) == {"publicKey": KEY}


def test_the_node_owns_its_meshnode_and_blocks_nothing() -> None:
    expected = {"apiVersion": "v1", "kind": "Node", "name": "node-a", "uid": "u-1"}
    assert expected == owner_reference(node())


def test_what_is_wanted_is_a_valid_meshnode() -> None:
    assert list(violations(wanted_object(node(("InternalIP", "fd00::1")), KEY), "meshnode")) == []


def test_what_is_published_as_wanted_does_not_differ() -> None:
    wanted = wanted_object(node(("InternalIP", "192.0.2.1")), KEY)
    other = {"apiVersion": "v1", "kind": "Node", "name": "node-a", "uid": "u-0"}
    owners = [other, *wanted["metadata"]["ownerReferences"]]
    published = {
        "metadata": {"name": "node-a", "ownerReferences": owners},
        "spec": wanted["spec"] | {"persistentKeepalive": 25, "listenPort": 1},
        "status": {"peers": 3},
    }
    assert differs(published, wanted) == ()


def test_each_difference_is_named() -> None:
    before = wanted_object(node(("InternalIP", "192.0.2.1")), KEY)
    after = wanted_object(
        node(("InternalIP", "192.0.2.2"), uid="u-2", spec={}),
        PublicKey("mGwL0EHlNYyVGMs9ycC3BiX0MIFQNjCUPVSHfUO1OWQ="),
    )
    assert differs(before, after) == FIELDS
    assert differs(None, before) == FIELDS


def test_what_was_yielded_does_not_count() -> None:
    before = wanted_object(node(("InternalIP", "192.0.2.1")), KEY)
    after = wanted_object(node(("InternalIP", "192.0.2.2")), KEY)
    assert differs(before, after) == ("spec.endpoint",)
    assert differs(before, after, {"spec.endpoint"}) == ()


def test_a_field_that_is_not_wanted_any_more_differs() -> None:
    before = wanted_object(node(("InternalIP", "192.0.2.1")), KEY)
    assert differs(before, wanted_object(node(), KEY)) == ("spec.endpoint",)


@given(st.sets(st.sampled_from(FIELDS)))
@pytest.mark.law
def test_an_object_without_some_fields_lacks_exactly_those(left_out: set[str]) -> None:
    wanted = wanted_object(node(("InternalIP", "192.0.2.1")), KEY)
    assert set(differs(without_fields(wanted, left_out), wanted)) == left_out


@pytest.mark.parametrize(
    ("endpoint", "rule"),
    [
        (
            "node-a.example",
            (
                "must be an IP address, not a name: a name may mean another address on each host,"
                " and another tomorrow"
            ),
        ),
        ("192.0.2.1:", "ends in ':' without a port"),
        ("127.0.0.1", "is in 127.0.0.0/8 (loopback): other nodes cannot reach this one there"),
    ],
)
def test_an_endpoint_that_is_none_is_refused(endpoint: str, rule: str) -> None:
    with pytest.raises(Problems) as caught:
        check_endpoint(endpoint)
    assert str(caught.value) == f"--endpoint {endpoint!r}: {rule}"


def test_an_endpoint_may_have_a_port() -> None:
    for endpoint in ("192.0.2.1", "192.0.2.1:9806", "2001:db8::1", "[2001:db8::1]:51000"):
        check_endpoint(endpoint)
