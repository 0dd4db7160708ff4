"""A prefix's text is its range, or what is wrong with it: as ``ipaddress`` has it, but faster."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.ranges import Range, find_range

_GROUPS = st.lists(st.sampled_from(["", "0", "00", "1", "fd00", "ffff", "1.2.3.4"]), max_size=9)
_ADDRESSES = (
    st.ip_addresses().map(str)
    | _GROUPS.map(":".join)
    | st.lists(st.sampled_from(["0", "1", "01", "255", "256", ""]), max_size=5).map(".".join)
)
_LENGTHS = st.integers(0, 130).map(str) | st.sampled_from(["", "08", "-1", "+8", "²"])


def read_slowly(prefix: str) -> Range | str:
    try:
        network = ip_network(prefix, strict=False)
    except ValueError:
        return "is not an IP prefix"
    if str(network) != prefix:
        return f"must be written {network}"
    return int(network[0]), int(network[-1])


@pytest.mark.law
@given(address=_ADDRESSES, length=_LENGTHS)
def test_any_text_is_read_as_the_standard_library_reads_it(address: str, length: str) -> None:
    prefix = f"{address}/{length}"
    assert read_slowly(prefix) == find_range(prefix)


@pytest.mark.law
@given(address=st.ip_addresses(), length=st.integers(0, 128))
def test_any_network_is_read_as_the_standard_library_reads_it(address: object, length: int) -> None:
    bits = 128 if ":" in str(address) else 32
    prefix = str(ip_network(f"{address}/{min(length, bits)}", strict=False))
    assert read_slowly(prefix) == find_range(prefix)


@pytest.mark.parametrize(
    "prefix",
    [
        "10.244.1.0/24",
        "0.0.0.0/0",
        "::/0",
        "fd00:244:0:1::/64",
        "fd00::1:0:0:1/128",
        "fd00:0:0:1::/64",
        "1:0:0:1:0:0:0:1/128",
        "1:0:2:3:4:5:6:7/128",
        "::ffff:102:304/128",
        "::ffff:1.2.3.4/128",
        "1::0:1/128",
        "1:2:3:4:5:6:7::/128",
        "1:2:3:4:5:6:7:/128",
        "1::2::3/128",
        "1.2.3.4",
        "1.2.3.4/24",
    ],
)
def test_a_prefix_of_note_is_read_as_the_standard_library_reads_it(prefix: str) -> None:
    assert read_slowly(prefix) == find_range(prefix)
