"""How the kernel's door stands what a kernel may answer; the kernel here is a fake."""

import errno
import time

import pytest

from applier.errors import HostError, Missing, Unobservable, Unsupported
from applier.host import DeviceUpdate, PeerUpdate
from applier.linux import netlink
from applier.linux.wireguard.codec import MESSAGE_SIZE
from applier.linux.wireguard.kernel import KernelWireGuard
from applier.linux.wireguard.keys import PARKING_KEY, key_bytes, key_text
from applier.vault import Vault
from schemas.values import Prefix
from tests.applier.wireguard.fake_kernel import FAMILY, FakeKernel, FakePeer, Refused, read

NAME = "wg0"


@pytest.fixture
def door(kernel: FakeKernel, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> KernelWireGuard:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    door = KernelWireGuard(vault, kernel.open)
    door.create(NAME, 9806)
    return door


def peers(count: int, prefixes: int = 1) -> DeviceUpdate:
    return DeviceUpdate(
        peers=tuple(
            PeerUpdate(
                public_key=key_text(number.to_bytes(32, "big")),
                add_allowed_ips=tuple(
                    Prefix(f"10.{number}.{other >> 8}.{other & 255}/32")
                    for other in range(prefixes)
                ),
            )
            for number in range(2, count + 2)
        )
    )


def test_an_interrupted_dump_is_asked_for_again(door: KernelWireGuard, kernel: FakeKernel) -> None:
    door.configure(NAME, peers(100))
    kernel.interruptions = netlink.DUMP_ATTEMPTS - 1
    assert len(door.get(NAME).peers) == 100


def test_a_dump_that_is_always_interrupted_is_unobservable(
    door: KernelWireGuard, kernel: FakeKernel
) -> None:
    kernel.interruptions = 1000
    with pytest.raises(Unobservable) as caught:
        door.get(NAME)
    assert str(caught.value) == (
        "read WireGuard device wg0: Interrupted system call "
        "(the dump was interrupted 6 times in a row) (code 4)"
    )
    assert kernel.interruptions == 1000 - netlink.DUMP_ATTEMPTS


def test_a_dump_that_fails_midway_is_unobservable(
    door: KernelWireGuard, kernel: FakeKernel
) -> None:
    kernel.dump_error = errno.ENOMEM
    with pytest.raises(Unobservable) as caught:
        door.get(NAME)
    assert str(caught.value) == "read WireGuard device wg0: Cannot allocate memory (code 12)"


@pytest.mark.parametrize("part_size", [90, 200, 1000, 30_000])
def test_the_parts_of_a_dump_are_joined(
    door: KernelWireGuard, kernel: FakeKernel, part_size: int
) -> None:
    door.configure(NAME, peers(7, prefixes=23))
    kernel.part_size = part_size
    live = door.get(NAME)
    assert [len(peer.allowed_ips) for peer in live.peers] == [23] * 7
    assert [peer.add_allowed_ips[-1] for peer in peers(7, prefixes=23).peers] == [
        peer.allowed_ips[-1] for peer in live.peers
    ]


def test_counters_and_handshakes_are_read(door: KernelWireGuard, kernel: FakeKernel) -> None:
    key = bytes(range(32))
    kernel.devices[NAME].peers[key] = FakePeer(key, handshake=1 << 40, received=1 << 63, sent=5)
    (peer,) = door.get(NAME).peers
    assert (peer.last_handshake, peer.received, peer.sent) == (1 << 40, 1 << 63, 5)


def test_every_request_fits_and_none_is_sent_in_vain(
    door: KernelWireGuard, kernel: FakeKernel
) -> None:
    door.configure(NAME, peers(200, prefixes=30))
    sizes = [len(request) for request in kernel.sets]
    assert max(sizes) < MESSAGE_SIZE + 100
    assert min(sizes[:-1]) > MESSAGE_SIZE - 2000
    door.configure(NAME, DeviceUpdate())
    assert len(kernel.sets) == len(sizes)


def test_later_pieces_of_a_peer_have_its_key_and_prefixes_only(
    door: KernelWireGuard, kernel: FakeKernel, vault: Vault
) -> None:
    whole = peers(1, prefixes=1500).peers[0]
    update = PeerUpdate(
        public_key=whole.public_key,
        add_allowed_ips=whole.add_allowed_ips,
        preshared_key=vault.put(b"p" * 32),
        persistent_keepalive=25,
    )
    door.configure(NAME, DeviceUpdate(peers=(update,)))
    pieces = [
        {kind: value for kind, _, value in read(item)}
        for request in kernel.sets
        for kind, _, value in read(request[4:])
        if kind == 8
        for _, _, item in read(value)
    ]
    assert [{1, 2, 5, 9}, {1, 3, 9}, {1, 3, 9}] == [piece.keys() for piece in pieces]
    assert [piece.get(3) for piece in pieces] == [None, b"\4\0\0\0", b"\4\0\0\0"]


def test_a_prefix_leaves_within_one_request(door: KernelWireGuard, kernel: FakeKernel) -> None:
    update = peers(2, prefixes=3)
    door.configure(NAME, update)
    kernel.sets.clear()
    losing = tuple(
        PeerUpdate(public_key=peer.public_key, remove_allowed_ips=peer.add_allowed_ips[:1])
        for peer in update.peers
    )
    door.configure(NAME, DeviceUpdate(peers=losing))
    (request,) = kernel.sets
    (_, (_, _, items)) = read(request[4:])
    parked, removed = ({kind: value for kind, _, value in read(item)} for _, _, item in read(items))
    assert len(read(parked[9])) == 2
    assert removed.keys() == {1, 3}
    assert key_bytes(PARKING_KEY) not in kernel.devices[NAME].peers


def test_a_private_key_is_sent_as_kernels_keep_it(
    door: KernelWireGuard, kernel: FakeKernel, vault: Vault
) -> None:
    public = vault.put_as("public half", b"\xff" * 32)
    door.configure(NAME, DeviceUpdate(private_key=public))
    sent = {kind: value for kind, _, value in read(kernel.sets[0][4:])}[3]
    assert sent == kernel.devices[NAME].private_key == b"\xf8" + b"\xff" * 30 + b"\x7f"


def test_a_refused_request_says_which_and_why(door: KernelWireGuard, kernel: FakeKernel) -> None:
    kernel.refusals[2] = Refused(errno.ENOBUFS, "too much of it")
    with pytest.raises(HostError) as caught:
        door.configure(NAME, peers(200, prefixes=30))
    assert str(caught.value) == (
        "configure WireGuard device wg0: message 3 of 7: "
        "No buffer space available (too much of it) (code 105)"
    )
    assert 0 < len(door.get(NAME).peers) < 200
    door.configure(NAME, peers(200, prefixes=30))
    assert len(door.get(NAME).peers) == 200


def test_a_silent_kernel_is_not_waited_for_for_ever(
    door: KernelWireGuard, kernel: FakeKernel
) -> None:
    kernel.silent = True
    with pytest.raises(Unobservable) as caught:
        door.get(NAME)
    assert str(caught.value) == (
        "read WireGuard device wg0: Connection timed out "
        "(no answer from the kernel within 30 s) (code 110)"
    )


def test_a_garbled_dump_is_unobservable(door: KernelWireGuard, kernel: FakeKernel) -> None:
    for garbage in (b"", b"\0\1\0\0", b"\0\1\0\0\2\0\6\0", b"\0\1\0\0\7\0\6\0\1\2\3\0"):
        kernel.garble = garbage
        with pytest.raises(Unobservable):
            door.get(NAME)


def test_a_kernel_without_wireguard_says_so(vault: Vault, kernel: FakeKernel) -> None:
    kernel.has_module = False
    door = KernelWireGuard(vault, kernel.open)
    assert not door.is_available()
    with pytest.raises(Unsupported) as caught:
        door.create(NAME, 9806)
    assert str(caught.value) == (
        "create wireguard link wg0: Operation not supported (Unknown device type) (code 95)"
    )
    with pytest.raises(Missing):
        door.get(NAME)


def test_a_socket_that_cannot_be_opened_is_an_error_of_the_host(vault: Vault) -> None:
    def refuse(_: int) -> netlink.Channel:
        raise PermissionError(errno.EPERM, "no")

    with pytest.raises(Unobservable) as caught:
        KernelWireGuard(vault, refuse).get(NAME)
    assert str(caught.value) == (
        "read WireGuard device wg0: Operation not permitted (opening a netlink socket) (code 1)"
    )


def test_every_channel_is_closed_whatever_happens(
    door: KernelWireGuard, kernel: FakeKernel
) -> None:
    kernel.interruptions = 1000
    with pytest.raises(Unobservable):
        door.get(NAME)
    kernel.refusals[0] = Refused(errno.EINVAL)
    with pytest.raises(HostError):
        door.configure(NAME, peers(1))
    assert kernel.channels
    assert all(channel.closed for channel in kernel.channels)


def test_the_fake_kernel_is_asked_through_its_family(kernel: FakeKernel) -> None:
    with netlink.Netlink(netlink.NETLINK_GENERIC, kernel.open) as conversation:
        assert netlink.resolve_family(conversation, "wireguard") == FAMILY
