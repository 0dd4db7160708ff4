"""Laws of the bytes and of the text: what is written is what is read."""

import contextlib
from socket import AF_INET, AF_INET6

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as some

from applier.host import DeviceUpdate, LivePeer, PeerUpdate
from applier.linux.framing import (
    NetlinkError,
    attribute,
    attribute_table,
    attributes,
    nested,
    split_messages,
)
from applier.linux.wireguard import codec, uapi
from applier.linux.wireguard.kernel import KernelWireGuard
from applier.linux.wireguard.keys import PARKING_KEY, key_bytes, key_text
from applier.linux.wireguard.prefix_items import decode_prefixes, encode_prefix
from applier.linux.wireguard.prefixes import (
    endpoint_text,
    pack_endpoint,
    pack_prefix,
    prefix_text,
    prefix_texts,
)
from applier.vault import Vault
from schemas.values import Endpoint, Prefix, PublicKey, sorted_prefixes
from tests.applier.wireguard.fake_kernel import FakeKernel, frame, write

NAME = "wg0"

pytestmark = pytest.mark.law
modest = settings(max_examples=60, deadline=None)

keys = some.integers(2, 40).map(lambda number: key_text(number.to_bytes(32, "little")))
prefixes = some.one_of(
    some.ip_addresses(v=4).flatmap(
        lambda address: some.integers(0, 32).map(lambda length: masked(address, length))
    ),
    some.ip_addresses(v=6).flatmap(
        lambda address: some.integers(0, 128).map(lambda length: masked(address, length))
    ),
)
endpoints = some.builds(
    lambda address, port: Endpoint(
        f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
    ),
    some.ip_addresses(),
    some.integers(1, 65535),
)
updates = some.builds(
    PeerUpdate,
    public_key=keys,
    endpoint=some.none() | endpoints,
    persistent_keepalive=some.none() | some.integers(0, 65535),
    add_allowed_ips=some.lists(prefixes, max_size=6, unique=True).map(tuple),
)


def masked(address: object, length: int) -> Prefix:
    from ipaddress import ip_network  # noqa: PLC0415 - the one user

    return Prefix(str(ip_network(f"{address}/{length}", strict=False)))


@modest
@given(some.lists(some.tuples(some.integers(1, 16000), some.binary(max_size=40))))
def test_attributes_are_read_as_written_and_fill_whole_words(
    pairs: list[tuple[int, bytes]],
) -> None:
    data = b"".join(attribute(kind, value) for kind, value in pairs)
    assert len(data) % 4 == 0
    assert pairs == list(attributes(data))
    assert dict(pairs) == attribute_table(data)
    assert data == b"".join(write(kind, value) for kind, value in pairs)


@modest
@given(some.lists(some.tuples(some.integers(16, 60000), some.binary(max_size=30))))
def test_a_datagram_is_split_into_its_messages(messages: list[tuple[int, bytes]]) -> None:
    padded = [(kind, value + bytes(-len(value) % 4)) for kind, value in messages]
    datagram = b"".join(frame(kind, 2, 9, value) for kind, value in padded)
    assert padded == [(found.kind, found.payload) for found in split_messages(datagram)]


@modest
@given(prefixes)
def test_a_prefix_is_the_same_after_packing(prefix: Prefix) -> None:
    assert prefix == prefix_text(pack_prefix(prefix))
    assert [pack_prefix(prefix)] == decode_prefixes(encode_prefix(prefix))


@modest
@given(some.lists(prefixes, unique=True))
def test_packed_prefixes_sort_as_documents_do(found: list[Prefix]) -> None:
    assert sorted_prefixes(found) == prefix_texts(map(pack_prefix, found))


@modest
@given(endpoints)
def test_an_endpoint_is_the_same_after_packing(endpoint: Endpoint) -> None:
    assert endpoint == endpoint_text(*pack_endpoint(endpoint))


@modest
@given(some.lists(prefixes, max_size=5))
def test_prefixes_are_read_in_any_layout(found: list[Prefix]) -> None:
    packed = [pack_prefix(prefix) for prefix in found]
    for order in ((1, 2, 3), (2, 1, 3), (3, 1, 2), (3, 2, 1)):
        items = [
            nested(
                0,
                *(
                    attribute(kind, {1: bytes([family, 0]), 2: address, 3: bytes([length])}[kind])
                    for kind in order
                ),
            )
            for family, address, length in packed
        ]
        assert packed == decode_prefixes(b"".join(items))


@modest
@given(some.lists(updates, max_size=8), some.integers(100, 2000))
def test_what_is_configured_is_what_is_read(sent: list[PeerUpdate], part_size: int) -> None:
    kernel, vault = FakeKernel(), Vault(b"salt")
    kernel.part_size = part_size
    door = KernelWireGuard(vault, kernel.open)
    door.create(NAME, 9806)
    door.configure(NAME, DeviceUpdate(peers=tuple(sent)))
    assert expected_peers(sent) == {peer.public_key: peer for peer in door.get(NAME).peers}


@modest
@given(some.lists(updates, min_size=1, max_size=8))
def test_userspace_text_says_what_the_bytes_say(sent: list[PeerUpdate]) -> None:
    (text,) = uapi.set_device(DeviceUpdate(peers=tuple(sent)), Vault(b"salt"))
    assert text.startswith("set=1\n")
    assert text.endswith("\n\n")
    lines = [line.partition("=")[::2] for line in text.split("\n") if line][1:]
    told: list[PeerUpdate] = []
    for key, value in lines:
        if key == "public_key":
            told.append(PeerUpdate(public_key=key_text(bytes.fromhex(value))))
        else:
            told[-1] = told_more(told[-1], key, value)
    assert sent == told


def told_more(peer: PeerUpdate, key: str, value: str) -> PeerUpdate:
    fields = {name: getattr(peer, name) for name in PeerUpdate.__struct_fields__}
    match key:
        case "allowed_ip":
            fields["add_allowed_ips"] = (*peer.add_allowed_ips, value)
        case "persistent_keepalive_interval":
            fields["persistent_keepalive"] = int(value)
        case _:
            assert key == "endpoint"
            fields["endpoint"] = value
    return PeerUpdate(**fields)


def expected_peers(sent: list[PeerUpdate]) -> dict[PublicKey, LivePeer]:
    """Return the peers as the protocol's own words describe them."""
    holders = {prefix: peer.public_key for peer in sent for prefix in peer.add_allowed_ips}
    found: dict[PublicKey, LivePeer] = {}
    for update in sent:
        before = found.get(update.public_key)
        keepalive = update.persistent_keepalive
        found[update.public_key] = LivePeer(
            public_key=update.public_key,
            allowed_ips=sorted_prefixes(
                prefix for prefix, holder in holders.items() if holder == update.public_key
            ),
            endpoint=update.endpoint or (before.endpoint if before else None),
            persistent_keepalive=keepalive
            if keepalive is not None
            else (before.persistent_keepalive if before else 0),
        )
    return found


@settings(max_examples=examples(100))
@given(some.data())
def test_bytes_that_are_no_device_raise_one_kind_of_error(data: some.DataObject) -> None:
    kernel, vault = FakeKernel(), Vault(b"salt")
    door = KernelWireGuard(vault, kernel.open)
    door.create(NAME, 9806)
    update = PeerUpdate(
        public_key=key_text(bytes(range(32))),
        endpoint=Endpoint("192.0.2.1:9806"),
        add_allowed_ips=(Prefix("10.0.0.0/24"), Prefix("fd00::/64")),
    )
    door.configure(NAME, DeviceUpdate(peers=(update,)))
    (part,) = kernel._parts(kernel.devices[NAME], NAME.encode() + b"\0")
    garbled = bytearray(part)
    for _ in range(data.draw(some.integers(1, 4))):
        garbled[data.draw(some.integers(4, len(part) - 1))] = data.draw(some.integers(0, 255))
    cut = data.draw(some.integers(0, len(part)))
    for answer in (bytes(garbled), part[:cut]):
        with contextlib.suppress(NetlinkError):
            codec.decode_device([answer], vault)


@modest
@given(some.text(alphabet="=publickey_rvatsdni0f19:./\n", max_size=80))
def test_text_that_is_no_device_raises_one_kind_of_error(text: str) -> None:
    with contextlib.suppress(ValueError, OSError):
        _, body = uapi.split_answer(text + "errno=0\n\n")
        uapi.decode_device(body, Vault(b"salt"), lambda _: PublicKey(""))


def test_the_parking_key_is_the_point_one() -> None:
    assert (1).to_bytes(32, "little") == key_bytes(PARKING_KEY)


def test_addresses_sort_by_family_first() -> None:
    assert AF_INET < AF_INET6
