"""A WireGuard kernel in memory, spoken to in netlink bytes; it shares no code with the codec.

It is as strict as the kernel's own policies, steals allowed IPs as the kernel does, answers
dumps in small parts, and fails where a test tells it to.
"""

import errno
import struct
import sys
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

Attributes = list[tuple[int, bool, bytes]]
"""Type, whether marked as nested, value."""

FAMILY = 31
NONE = bytes(32)


def number(value: bytes) -> int:
    return int.from_bytes(value, sys.byteorder)


def read(data: bytes) -> Attributes:
    found: Attributes = []
    while data:
        assert len(data) % 4 == 0, "attributes fill whole words"
        length, kind = number(data[:2]), number(data[2:4])
        padded = -(-length // 4) * 4
        assert 4 <= length <= padded <= len(data), "attributes lie inside their container"
        assert not any(data[length:padded]), "padding is zero"
        found.append((kind & 0x3FFF, bool(kind & 0x8000), data[4:length]))
        data = data[padded:]
    return found


def write(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", len(value) + 4, kind) + value + b"\0" * (-len(value) % 4)


def clamped(key: bytes) -> bytes:
    """Return a private key as it is stored; none at all stays none."""
    assert len(key) == 32
    if key == NONE:
        return NONE
    return bytes([key[0] & 248, *key[1:31], key[31] & 127 | 64])


@dataclass
class FakePeer:
    key: bytes
    preshared_key: bytes = NONE
    endpoint: bytes = b""
    keepalive: int = 0
    handshake: int = 0
    received: int = 0
    sent: int = 0
    prefixes: dict[bytes, None] = field(default_factory=dict)
    """Each as family, length, address."""


@dataclass
class FakeDevice:
    index: int
    group: int
    private_key: bytes = NONE
    port: int = 0
    fwmark: int = 0
    peers: dict[bytes, FakePeer] = field(default_factory=dict)
    holders: dict[bytes, FakePeer] = field(default_factory=dict)
    """Every prefix's one peer."""

    @property
    def public_key(self) -> bytes:
        if self.private_key == NONE:
            return NONE
        key = X25519PrivateKey.from_private_bytes(self.private_key)
        return key.public_key().public_bytes_raw()


class Refused(Exception):  # noqa: N818 - the kernel's answer, not an error of the fake's
    def __init__(self, code: int, text: str = "") -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


class FakeKernel:
    """``open`` is what :class:`applier.linux.netlink.OpenChannel` asks for."""

    def __init__(self) -> None:
        self.devices: dict[str, FakeDevice] = {}
        self.has_module = True
        self.part_size = 4000
        """Bytes of one dump message; the real kernel's are about 32,000 at most."""
        self.interruptions = 0
        """How many of the next dumps are interrupted."""
        self.dump_error = 0
        self.refusals: dict[int, Refused] = {}
        """By the number of the SET_DEVICE request, from 0."""
        self.silent = False
        self.garble: bytes | None = None
        """Answers every dump, whatever it holds."""
        self.sets: list[bytes] = []
        self.channels: list[FakeChannel] = []

    def open(self, protocol: int) -> "FakeChannel":
        channel = FakeChannel(self, protocol)
        self.channels.append(channel)
        return channel

    def handle(self, protocol: int, message: bytes) -> list[bytes]:
        length, kind, flags, sequence, _ = struct.unpack_from("=IHHII", message)
        assert length == len(message)
        assert flags & 1, "every request is marked as one"
        body = message[16:]
        try:
            if protocol == 0:
                self._link(kind, flags, body)
                answers: list[bytes] = []
            elif kind == 16:
                answers = [self._family(body)]
            else:
                assert kind == FAMILY
                assert body[1:4] == b"\1\0\0", "version 1, nothing reserved"
                if body[0] == 0:
                    assert flags & 0x300 == 0x300, "GET_DEVICE is a dump"
                    return self._dump(read(body[4:]), sequence)
                self._set(body)
                answers = []
        except Refused as refused:
            return [acknowledgement(sequence, refused, message)]
        framed = [frame(kind, 0, sequence, answer) for answer in answers]
        return [*framed, acknowledgement(sequence, None, message)]

    def _family(self, body: bytes) -> bytes:
        assert body[0] == 3, "GETFAMILY"
        assert read(body[4:]) == [(2, False, b"wireguard\0")]
        if not self.has_module:
            raise Refused(errno.ENOENT)
        return struct.pack("=BBxx", 1, 2) + write(2, b"wireguard\0") + write(1, b"\x1f\0")

    # ---- links

    def _link(self, kind: int, flags: int, body: bytes) -> None:
        values = {kind: value for kind, _, value in read(body[16:])}
        name = values[3].rstrip(b"\0").decode()
        if kind == 17:
            if name not in self.devices:
                raise Refused(errno.ENODEV)
            del self.devices[name]
            return
        assert kind == 16
        assert flags & 0x600 == 0x600, "created, and never taken over"
        assert read(values[18]) == [(1, False, b"wireguard")]
        if not self.has_module:
            raise Refused(errno.EOPNOTSUPP, "Unknown device type")
        if name in self.devices:
            raise Refused(errno.EEXIST)
        self.devices[name] = FakeDevice(len(self.devices) + 2, number(values[27]))

    # ---- reading

    def _dump(self, request: Attributes, sequence: int) -> list[bytes]:
        ((kind, _, value),) = request
        assert kind == 2
        device = self.devices.get(value.rstrip(b"\0").decode())
        if device is None:
            raise Refused(errno.ENODEV)
        interrupted = 0x10 if self.interruptions > 0 else 0
        self.interruptions -= 1
        parts = [self.garble] if self.garble is not None else self._parts(device, value)
        done = frame(3, 2 | interrupted, sequence, struct.pack("=i", -self.dump_error))
        return [frame(FAMILY, 2, sequence, part) for part in parts] + [done]

    def _parts(self, device: FakeDevice, name: bytes) -> list[bytes]:
        head = write(6, struct.pack("=H", device.port)) + write(7, struct.pack("=I", device.fwmark))
        head += write(1, struct.pack("=I", device.index)) + write(2, name)
        if device.private_key != NONE:
            head += write(3, device.private_key) + write(4, device.public_key)
        parts: list[bytes] = []
        items: list[bytes] = []
        size = len(head)
        for item in [item for peer in device.peers.values() for item in self._pieces(peer)]:
            if items and size + len(item) > self.part_size:
                parts.append(head + write(0x8008, b"".join(items)))
                head, items, size = write(2, name), [], 0
            items.append(item)
            size += len(item)
        parts.append(head + (write(0x8008, b"".join(items)) if items else b""))
        return [struct.pack("=BBxx", 0, 1) + part for part in parts]

    def _pieces(self, peer: FakePeer) -> list[bytes]:
        scalars = write(2, peer.preshared_key)
        scalars += write(6, struct.pack("=qq", peer.handshake, 0))
        scalars += write(5, struct.pack("=H", peer.keepalive))
        scalars += write(8, struct.pack("=Q", peer.sent)) + write(
            7, struct.pack("=Q", peer.received)
        )
        scalars += write(10, struct.pack("=I", 1))
        if peer.endpoint:
            scalars += write(4, peer.endpoint)
        prefixes = [
            write(
                0x8000,
                write(3, bytes([prefix[1]]))
                + write(1, bytes([prefix[0], 0]))
                + write(2, prefix[2:]),
            )
            for prefix in reversed(peer.prefixes)  # in no order that anybody would want
        ]
        step = max(1, self.part_size // 80)
        pieces = [prefixes[start : start + step] for start in range(0, len(prefixes), step)] or [[]]
        return [
            write(
                0x8000,
                write(1, peer.key)
                + (scalars if first == 0 else b"")
                + write(0x8009, b"".join(piece)),
            )
            for first, piece in enumerate(pieces)
        ]

    # ---- writing

    def _set(self, body: bytes) -> None:
        self.sets.append(body)
        refused = self.refusals.pop(len(self.sets) - 1, None)
        values = {kind: value for kind, _, value in read(body[4:])}
        assert values.keys() <= {2, 3, 6, 7, 8}, "no flags: peers are never replaced"
        device = self.devices.get(values[2].rstrip(b"\0").decode())
        if device is None:
            raise Refused(errno.ENODEV)
        if refused:
            raise refused
        device.fwmark = number(values.get(7, struct.pack("=I", device.fwmark)))
        device.port = number(values.get(6, struct.pack("=H", device.port)))
        device.private_key = clamped(values.get(3, device.private_key))
        device.peers.pop(device.public_key if device.private_key != NONE else b"", None)
        for kind, nested, item in read(values.get(8, b"")):
            assert (kind, nested) == (0, True)
            self._set_peer(device, read(item))

    def _set_peer(self, device: FakeDevice, item: Attributes) -> None:
        values = {kind: value for kind, _, value in item}
        assert values.keys() <= {1, 2, 3, 4, 5, 9}
        key, flags = values[1], number(values.get(3, bytes(4)))
        if len(key) != 32:
            raise Refused(errno.EINVAL)
        assert flags in {0, 1, 4}, "allowed IPs are never replaced"
        own = device.private_key != NONE and key == device.public_key
        if key not in device.peers and (flags or own):
            return
        if flags == 1:
            for prefix in device.peers.pop(key).prefixes:
                del device.holders[prefix]
            return
        peer = device.peers.setdefault(key, FakePeer(key))
        peer.preshared_key = values.get(2, peer.preshared_key)
        assert len(peer.preshared_key) == 32
        peer.endpoint = values.get(4, peer.endpoint)
        assert len(peer.endpoint) in {0, 16, 28}
        peer.keepalive = number(values.get(5, struct.pack("=H", peer.keepalive)))
        for kind, nested, prefix in read(values.get(9, b"")):
            assert (kind, nested) == (0, True)
            self._add_prefix(device, peer, {kind: value for kind, _, value in read(prefix)})

    def _add_prefix(self, device: FakeDevice, peer: FakePeer, values: dict[int, bytes]) -> None:
        assert values.keys() == {1, 2, 3}
        assert (number(values[1]), len(values[2])) in {(2, 4), (10, 16)}
        prefix = values[1][:1] + values[3] + values[2]
        holder = device.holders.get(prefix)
        if holder is not None:
            del holder.prefixes[prefix]
        device.holders[prefix] = peer
        peer.prefixes[prefix] = None


class FakeChannel:
    def __init__(self, kernel: FakeKernel, protocol: int) -> None:
        self.kernel = kernel
        self.protocol = protocol
        self.closed = False
        self._queue: list[bytes] = []

    def send(self, message: bytes) -> None:
        assert not self.closed
        answers = [] if self.kernel.silent else self.kernel.handle(self.protocol, message)
        # An answer to somebody's earlier request may still be about.
        self._queue += [acknowledgement(0, Refused(errno.EIO), message), *answers]

    def receive(self, timeout: float) -> bytes:
        assert timeout > 0
        if not self._queue:
            raise TimeoutError
        return self._queue.pop(0)

    def close(self) -> None:
        self.closed = True


def frame(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 77) + body


def acknowledgement(sequence: int, refused: Refused | None, request: bytes) -> bytes:
    body = struct.pack("=i", -refused.code if refused else 0) + request[:16]
    flags = 0x100
    if refused and refused.text:
        flags |= 0x200
        body += write(1, refused.text.encode() + b"\0")
    return frame(2, flags, sequence, body)
