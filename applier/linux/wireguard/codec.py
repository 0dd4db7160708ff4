"""The messages of the generic netlink family ``wireguard``: devices to values, updates to bytes.

Attributes and their limits are those of ``linux/wireguard.h``.
"""

import errno
import struct
from collections.abc import Iterable, Iterator
from itertools import islice
from socket import AF_INET, AF_INET6
from typing import Final

from applier.host import DeviceUpdate, LiveDevice, LivePeer, PeerUpdate
from applier.linux.framing import (
    GENERIC_HEADER,
    NetlinkError,
    attribute,
    attribute_table,
    attributes,
    nested,
)
from applier.linux.wireguard.keys import (
    PARKING_KEY,
    keep_preshared_key,
    key_bytes,
    key_text,
    reveal_preshared_key,
    reveal_private_key,
)
from applier.linux.wireguard.prefix_items import decode_prefixes, encode_prefix
from applier.linux.wireguard.prefixes import (
    PackedPrefix,
    endpoint_text,
    pack_endpoint,
    prefix_texts,
)
from applier.linux.wireguard.removal import only_removes
from applier.vault import Vault
from schemas.values import Endpoint, Prefix

FAMILY_NAME: Final = "wireguard"
FAMILY_VERSION: Final = 1
GET_DEVICE: Final = 0
SET_DEVICE: Final = 1

_DEVICE_NAME: Final = 2
_DEVICE_PRIVATE_KEY: Final = 3
_DEVICE_PUBLIC_KEY: Final = 4
_DEVICE_LISTEN_PORT: Final = 6
_DEVICE_FWMARK: Final = 7
_DEVICE_PEERS: Final = 8

_PEER_PUBLIC_KEY: Final = 1
_PEER_PRESHARED_KEY: Final = 2
_PEER_FLAGS: Final = 3
_PEER_ENDPOINT: Final = 4
_PEER_KEEPALIVE: Final = 5
_PEER_LAST_HANDSHAKE: Final = 6
_PEER_RECEIVED: Final = 7
_PEER_SENT: Final = 8
_PEER_ALLOWED_IPS: Final = 9

_REMOVE_ME: Final = 1
_UPDATE_ONLY: Final = 4

MESSAGE_SIZE: Final = 30_000
"""Bytes of peers in one message: half of what the 16-bit length of the list could say."""
PREFIXES_PER_PEER: Final = 600
"""Prefixes of one peer in one message: 24,000 bytes, were they all IPv6."""

_U16: Final = struct.Struct("=H")
_U32: Final = struct.Struct("=I")
_U64: Final = struct.Struct("=Q")
_SECONDS: Final = struct.Struct("=q")
_PORT: Final = struct.Struct(">H")


# ---- devices, read ----------------------------------------------------------------------------


def get_device(name: str) -> bytes:
    """Return the request for a dump of one device."""
    return GENERIC_HEADER.pack(GET_DEVICE, FAMILY_VERSION) + _name_attribute(name)


def decode_device(parts: Iterable[bytes], vault: Vault) -> LiveDevice:
    """Join the parts of a dump into one device; secrets go into the vault.

    The first part has the device's own attributes. The list of peers, and one peer's list of
    prefixes, go on in the next part where a part is full: there the peer has nothing but its
    public key and more prefixes.

    Raises:
        NetlinkError: a part is malformed, or there is none.

    """
    device: dict[int, bytes] = {}
    try:
        # Each peer becomes a value before the next is read: thousands of half-read ones alive
        # at once would keep the garbage collector busy for as long as all this takes.
        joined = _join_peers(_peer_items(parts, device))
        peers = tuple([_peer_value(values, prefixes, vault) for values, prefixes in joined])
        return _device_value(device, peers, vault)
    except (LookupError, OSError, ValueError, struct.error) as error:
        raise NetlinkError(errno.EBADMSG, f"a device cannot be read: {error!r}") from error


def _peer_items(parts: Iterable[bytes], device: dict[int, bytes]) -> Iterator[bytes]:
    """Yield the pieces of peers; put the device's own attributes into ``device``."""
    for part in parts:
        for kind, value in attributes(part, GENERIC_HEADER.size):
            if kind == _DEVICE_PEERS:
                yield from (item for _, item in attributes(value))
            else:
                device.setdefault(kind, value)


def _join_peers(
    items: Iterable[bytes],
) -> Iterator[tuple[dict[int, bytes], list[PackedPrefix]]]:
    """Yield the attributes and all prefixes of each peer, from one piece or more."""
    values: dict[int, bytes] = {}
    prefixes: list[PackedPrefix] = []
    for item in items:
        table = attribute_table(item)
        if not values or table[_PEER_PUBLIC_KEY] != values[_PEER_PUBLIC_KEY]:
            if values:
                yield values, prefixes
            values, prefixes = table, []
        prefixes += decode_prefixes(table.get(_PEER_ALLOWED_IPS, b""))
    if values:
        yield values, prefixes


def _device_value(
    device: dict[int, bytes], peers: tuple[LivePeer, ...], vault: Vault
) -> LiveDevice:
    public_key = ""
    if _DEVICE_PUBLIC_KEY in device:  # both halves, or neither
        public_key = key_text(device[_DEVICE_PUBLIC_KEY])
        vault.put_as(public_key, device[_DEVICE_PRIVATE_KEY])
    return LiveDevice(
        public_key=public_key,
        listen_port=_U16.unpack(device[_DEVICE_LISTEN_PORT])[0],
        fwmark=_U32.unpack(device[_DEVICE_FWMARK])[0],
        peers=peers,
    )


def _peer_value(values: dict[int, bytes], prefixes: list[PackedPrefix], vault: Vault) -> LivePeer:
    endpoint = values.get(_PEER_ENDPOINT)
    return LivePeer(
        public_key=key_text(values[_PEER_PUBLIC_KEY]),
        allowed_ips=prefix_texts(prefixes),
        endpoint=None if endpoint is None else _decode_endpoint(endpoint),
        persistent_keepalive=_U16.unpack(values[_PEER_KEEPALIVE])[0],
        preshared_key=keep_preshared_key(vault, values[_PEER_PRESHARED_KEY]),
        last_handshake=_SECONDS.unpack_from(values[_PEER_LAST_HANDSHAKE])[0],
        received=_U64.unpack(values[_PEER_RECEIVED])[0],
        sent=_U64.unpack(values[_PEER_SENT])[0],
    )


def _decode_endpoint(data: bytes) -> Endpoint:
    """Read a ``sockaddr_in`` or ``sockaddr_in6``; an IPv6 scope is passed over."""
    (family,) = _U16.unpack_from(data)
    (port,) = _PORT.unpack_from(data, 2)
    return endpoint_text(family, data[4:8] if family == AF_INET else data[8:24], port)


# ---- updates, written -------------------------------------------------------------------------


def set_device(name: str, update: DeviceUpdate, vault: Vault) -> Iterator[bytes]:
    """Yield the requests that send an update, all but its single prefixes to remove.

    The device's own attributes are in the first; the kernel sets them before the peers. One
    request is applied peer by peer in its order, and is no transaction.
    """
    device = _device_attributes(update, vault)
    peers = (peer for peer in update.peers if not only_removes(peer))
    fragments = (part for peer in peers for part in _peer_fragments(peer, vault))
    yield from _requests(name, fragments, device)


def remove_prefixes(name: str, prefixes: Iterable[Prefix]) -> Iterator[bytes]:
    """Yield the requests that take prefixes away from whichever peers hold them.

    The peer that takes them over comes and goes within one request, so that it stays behind
    only if that very request fails.
    """
    key = attribute(_PEER_PUBLIC_KEY, key_bytes(PARKING_KEY))
    remove = nested(0, key, attribute(_PEER_FLAGS, _U32.pack(_REMOVE_ME)))
    fragments = (nested(0, key, batch) + remove for batch in _prefix_lists(prefixes))
    yield from _requests(name, fragments)


def _requests(name: str, fragments: Iterable[bytes], device: bytes = b"") -> Iterator[bytes]:
    """Pack fragments of peers into as few requests as their size allows."""
    head = GENERIC_HEADER.pack(SET_DEVICE, FAMILY_VERSION) + _name_attribute(name)
    batch: list[bytes] = []
    size = 0
    for fragment in fragments:
        if size + len(fragment) > MESSAGE_SIZE and batch:
            yield head + device + nested(_DEVICE_PEERS, *batch)
            batch, size, device = [], 0, b""
        batch.append(fragment)
        size += len(fragment)
    if batch or device:
        yield head + device + (nested(_DEVICE_PEERS, *batch) if batch else b"")


def _name_attribute(name: str) -> bytes:
    return attribute(_DEVICE_NAME, name.encode() + b"\0")


def _device_attributes(update: DeviceUpdate, vault: Vault) -> bytes:
    parts = []
    if update.private_key is not None:
        parts.append(attribute(_DEVICE_PRIVATE_KEY, reveal_private_key(vault, update.private_key)))
    if update.listen_port is not None:
        parts.append(attribute(_DEVICE_LISTEN_PORT, _U16.pack(update.listen_port)))
    if update.fwmark is not None:
        parts.append(attribute(_DEVICE_FWMARK, _U32.pack(update.fwmark)))
    return b"".join(parts)


def _peer_fragments(peer: PeerUpdate, vault: Vault) -> Iterator[bytes]:
    """Yield one peer in pieces: scalars with the first prefixes, then only more prefixes."""
    key = attribute(_PEER_PUBLIC_KEY, key_bytes(peer.public_key))
    if peer.remove:
        yield nested(0, key, attribute(_PEER_FLAGS, _U32.pack(_REMOVE_ME)))
        return
    lists = _prefix_lists(peer.add_allowed_ips)
    yield nested(0, key, _peer_scalars(peer, vault), next(lists, b""))
    # Should somebody remove the peer meanwhile, its later pieces must not bring it back.
    later = attribute(_PEER_FLAGS, _U32.pack(_UPDATE_ONLY))
    for prefixes in lists:
        yield nested(0, key, later, prefixes)


def _peer_scalars(peer: PeerUpdate, vault: Vault) -> bytes:
    parts = []
    if peer.preshared_key is not None:
        parts.append(
            attribute(_PEER_PRESHARED_KEY, reveal_preshared_key(vault, peer.preshared_key))
        )
    if peer.endpoint is not None:
        parts.append(attribute(_PEER_ENDPOINT, _encode_endpoint(peer.endpoint)))
    if peer.persistent_keepalive is not None:
        parts.append(attribute(_PEER_KEEPALIVE, _U16.pack(peer.persistent_keepalive)))
    return b"".join(parts)


def _encode_endpoint(endpoint: Endpoint) -> bytes:
    family, address, port = pack_endpoint(endpoint)
    head = _U16.pack(family) + _PORT.pack(port)
    if family == AF_INET6:  # flow information before the address, scope after it
        return head + bytes(4) + address + bytes(4)
    return head + address + bytes(8)


def _prefix_lists(prefixes: Iterable[Prefix]) -> Iterator[bytes]:
    remaining = iter(prefixes)
    while batch := list(islice(remaining, PREFIXES_PER_PEER)):
        yield nested(_PEER_ALLOWED_IPS, *map(encode_prefix, batch))
