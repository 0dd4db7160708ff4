"""What no kernel sends is refused in a known way."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from applier.linux.attention import Attention
from applier.linux.framing import Message, NetlinkError


@pytest.mark.law
@given(kind=st.sampled_from([16, 17, 20, 21, 24, 25, 32, 33, 28, 3]), payload=st.binary())
def test_garbage_is_nothing_or_one_of_four_errors(kind: int, payload: bytes) -> None:
    attention = Attention()
    attention.concern(("wormhole-wg0",), ("10.244.0.0/16", "fd00:244::/48", "0.0.0.0/0"))
    message = Message(kind=kind, flags=0, sequence=0, payload=payload, port=0)
    with suppress(NetlinkError, ValueError, LookupError, struct.error):
        attention.notice(message)


def test_what_is_no_message_about_the_network_is_nothing() -> None:
    message = Message(kind=28, flags=0, sequence=0, payload=b"", port=7)  # RTM_NEWNEIGH
    assert Attention().notice(message) is None
