"""One item of ``WGPEER_A_ALLOWEDIPS``: prefixes to bytes and back, most of all that is sent."""

import struct
from socket import AF_INET, AF_INET6
from typing import Final

from applier.linux.framing import (
    ATTRIBUTE_HEADER,
    NLA_F_NESTED,
    attribute_table,
    attributes,
)
from applier.linux.wireguard.prefixes import PackedPrefix, pack_prefix
from schemas.values import Prefix

_FAMILY: Final = 1
_ADDRESS: Final = 2
_LENGTH: Final = 3

_LAYOUTS: Final[dict[int, struct.Struct]] = {
    AF_INET: struct.Struct("=HHIB3xIH2xI4s"),
    AF_INET6: struct.Struct("=HHIB3xIH2xI16s"),
}
"""The item's header, then header and value of length, family, address: the order in which the
kernel writes them (``get_allowedips`` in ``wireguard/netlink.c``). It takes any order."""
_LAYOUT_OF_SIZE: Final = {layout.size: layout for layout in _LAYOUTS.values()}

_U16: Final = struct.Struct("=H")
_U32: Final = struct.Struct("=I")


def _heads(address_size: int) -> tuple[int, int, int]:
    """Return the three inner headers as numbers, to be written and compared whole."""
    sizes = ((1, _LENGTH), (2, _FAMILY), (address_size, _ADDRESS))
    heads = [ATTRIBUTE_HEADER.pack(ATTRIBUTE_HEADER.size + size, kind) for size, kind in sizes]
    first, second, third = (_U32.unpack(head)[0] for head in heads)
    return first, second, third


_HEADS: Final = {_LAYOUTS[AF_INET].size: _heads(4), _LAYOUTS[AF_INET6].size: _heads(16)}


def decode_prefixes(data: bytes) -> list[PackedPrefix]:
    """Return the prefixes of a list; one unpacking each while the layout is the known one."""
    prefixes = []
    start = 0
    while start + _U16.size <= len(data):
        (size,) = _U16.unpack_from(data, start)
        layout = _LAYOUT_OF_SIZE.get(size)
        if layout is None or start + size > len(data):
            return _decode_any(data)
        _, _, head, length, next_head, family, last_head, address = layout.unpack_from(data, start)
        if (head, next_head, last_head) != _HEADS[size]:
            return _decode_any(data)
        prefixes.append((family, address, length))
        start += size
    return prefixes


def _decode_any(data: bytes) -> list[PackedPrefix]:
    """Return the prefixes of a list whose items have another layout than we know."""
    prefixes = []
    for _, item in attributes(data):
        values = attribute_table(item)
        (family,) = _U16.unpack(values[_FAMILY])
        prefixes.append((family, values[_ADDRESS], values[_LENGTH][0]))
    return prefixes


def encode_prefix(prefix: Prefix) -> bytes:
    """Return the item that adds a prefix."""
    family, address, length = pack_prefix(prefix)
    layout = _LAYOUTS[family]
    head, next_head, last_head = _HEADS[layout.size]
    return layout.pack(
        layout.size, NLA_F_NESTED, head, length, next_head, family, last_head, address
    )
