from ipaddress import IPv6Address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from compiler.networks import InvalidTextError, find_overlaps, parse_network, parse_reach


@pytest.mark.law
@given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), st.integers(0, 128))
@example(IPv6Address("::ffff:0:0"), 96)
def test_networks_are_parsed_as_the_standard_library_does(address: object, length: int) -> None:
    try:
        expected = ip_network(f"{address}/{length}")
    except ValueError:
        expected = None
    # IPv4 inside IPv6 is refused: no host ever routes ::ffff:0:0/96.
    if expected is None or int(expected.network_address) >> 32 == 0xFFFF:
        with pytest.raises(InvalidTextError):
            parse_network(f"{address}/{length}")
        return
    found = parse_network(str(expected))
    assert (found.version, found.first, found.last, found.prefix) == (
        expected.version,
        int(expected.network_address),
        int(expected.broadcast_address),
        str(expected),
    )


@pytest.mark.law
@given(
    st.lists(
        st.tuples(st.integers(0, 255), st.integers(24, 32)).map(
            lambda each: str(ip_network((each[0], each[1]), strict=False))
        )
    )
)
def test_overlaps_are_those_that_comparing_all_pairs_finds(texts: list[str]) -> None:
    placed = [(parse_network(text), index) for index, text in enumerate(texts)]
    networks = [ip_network(text) for text in texts]
    found = {(outer, inner) for outers, (_, inner) in find_overlaps(placed) for _, outer in outers}
    expected = {
        (other_index, index)
        for index, each in enumerate(networks)
        for other_index, other in enumerate(networks)
        if networks.index(other) == other_index  # of equals the first stands for all
        if (each != other and each.subnet_of(other)) or (each == other and other_index < index)
    }
    assert found == expected


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "must be an IP prefix, such as 10.244.1.0/24 or fd00:244:0:1::/64"),
        ("010.0.0.0/8", "must be an IP prefix, such as 10.244.1.0/24 or fd00:244:0:1::/64"),
        ("fe80::%eth0/64", "must be an IP prefix, such as 10.244.1.0/24 or fd00:244:0:1::/64"),
        ("10.0.0.0", "must be a prefix with its length; one address alone is 10.0.0.0/32"),
        ("10.0.0.0/", "the length after the '/' must be a number from 0 to 32"),
        ("10.0.0.0/٨", "the length after the '/' must be a number from 0 to 32"),
        ("10.0.0.0/+8", "the length after the '/' must be a number from 0 to 32"),
        ("fd00::/129", "the length after the '/' must be a number from 0 to 128"),
        ("10.0.0.1/8", "has host bits set: the prefix is 10.0.0.0/8"),
    ],
)
def test_text_that_is_no_prefix_is_refused(text: str, rule: str) -> None:
    with pytest.raises(InvalidTextError) as caught:
        parse_network(text)
    assert str(caught.value) == rule


@pytest.mark.parametrize("host", ["", "1.2.3", "1.2.3.4/32", "::g", "::ffff:192.0.2.1"])
def test_text_that_is_no_address_is_refused(host: str) -> None:
    with pytest.raises(InvalidTextError) as caught:
        parse_reach(host, 1)
    rule = "must be an IP address, IP:port or [IPv6]:port, such as 192.0.2.1:9806"
    assert str(caught.value) == rule
