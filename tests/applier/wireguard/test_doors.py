"""What every WireGuard implementation does, shown on each of them."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from applier.errors import Exists, HostError, Missing
from applier.host import DeviceUpdate, LiveDevice, LivePeer, PeerUpdate
from applier.linux.wireguard.keys import PARKING_KEY, key_text
from applier.vault import Vault
from schemas.values import Endpoint, Prefix, PublicKey, sorted_prefixes
from tests.applier.wireguard.conftest import GROUP, NAME, Implementation


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def public_key(number: int) -> PublicKey:
    return key_text(digest(f"peer {number}"))


def prefixes(*texts: str) -> tuple[Prefix, ...]:
    return tuple(Prefix(text) for text in texts)


@dataclass
class Subject:
    """One device of one implementation."""

    implementation: Implementation

    @property
    def vault(self) -> Vault:
        return self.implementation.vault

    def configure(self, *peers: PeerUpdate, **device: Any) -> None:  # noqa: ANN401 - the fields of DeviceUpdate
        self.implementation.door.configure(NAME, DeviceUpdate(peers=peers, **device))

    def get(self) -> LiveDevice:
        return self.implementation.door.get(NAME)

    def peers(self) -> dict[PublicKey, LivePeer]:
        return {peer.public_key: peer for peer in self.get().peers}

    def holders(self) -> dict[PublicKey, tuple[Prefix, ...]]:
        return {peer.public_key: peer.allowed_ips for peer in self.get().peers}

    def private_key(self, text: str) -> str:
        private = digest(text)
        private = bytes([private[0] & 248, *private[1:31], private[31] & 127 | 64])
        public = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
        return self.vault.put_as(key_text(public), private)


@pytest.fixture
def subject(implementation: Implementation, device: str) -> Subject:
    assert device == NAME
    return Subject(implementation)


# ---- devices ----------------------------------------------------------------------------------


def test_a_new_device_is_in_its_group_and_has_no_key_and_no_peer(subject: Subject) -> None:
    live = subject.get()
    assert (live.public_key, live.fwmark, live.peers) == ("", 0, ())
    assert subject.implementation.group_of(NAME) == GROUP


def test_a_device_is_not_made_twice(subject: Subject) -> None:
    with pytest.raises(Exists):
        subject.implementation.door.create(NAME, GROUP)


def test_a_missing_device_is_missing_to_every_operation(implementation: Implementation) -> None:
    door = implementation.door
    update = DeviceUpdate(peers=(PeerUpdate(public_key=public_key(1)),))
    for operation in (
        lambda: door.get(NAME),
        lambda: door.configure(NAME, update),
        lambda: door.delete(NAME),
    ):
        with pytest.raises(Missing):
            operation()


def test_a_deleted_device_is_gone_and_can_be_made_again(subject: Subject) -> None:
    door = subject.implementation.door
    subject.configure(PeerUpdate(public_key=public_key(1)))
    door.delete(NAME)
    with pytest.raises(Missing):
        door.get(NAME)
    door.create(NAME, GROUP)
    assert subject.get().peers == ()


def test_the_devices_own_values_are_set_one_by_one(subject: Subject) -> None:
    key, other = subject.private_key("one"), subject.private_key("other")
    subject.configure(private_key=key)
    assert subject.get().public_key == key
    subject.configure(listen_port=9806)
    subject.configure(fwmark=7)
    live = subject.get()
    assert (live.public_key, live.listen_port, live.fwmark) == (key, 9806, 7)
    subject.configure(listen_port=9807, private_key=other, fwmark=0)
    live = subject.get()
    assert (live.public_key, live.listen_port, live.fwmark) == (other, 9807, 0)


def test_the_private_key_that_was_read_is_in_the_vault_and_nowhere_else(subject: Subject) -> None:
    key = subject.private_key("one")
    subject.configure(private_key=key)
    private = subject.vault.reveal(key)
    subject.vault.put_as(key, b"forgotten")
    live = subject.get()
    assert (live.public_key, subject.vault.reveal(key)) == (key, private)
    for text in (private.hex(), key_text(private), repr(private)):
        assert text not in repr(live)


def test_an_empty_private_key_is_taken_away(subject: Subject) -> None:
    subject.configure(private_key=subject.private_key("one"))
    subject.configure(private_key="")
    assert subject.get().public_key == ""


def test_nothing_to_send_sends_nothing(subject: Subject) -> None:
    subject.configure()
    assert subject.get().peers == ()


# ---- peers ------------------------------------------------------------------------------------


def many_peers(count: int) -> tuple[PeerUpdate, ...]:
    return tuple(
        PeerUpdate(
            public_key=public_key(number),
            endpoint=Endpoint(f"192.0.2.{number % 250 + 1}:{number + 1}"),
            add_allowed_ips=prefixes(
                f"10.{number >> 8}.{number & 255}.0/24", f"fd00:{number + 1:x}::/64"
            ),
        )
        for number in range(count)
    )


def as_live(updates: Iterable[PeerUpdate]) -> dict[PublicKey, LivePeer]:
    return {
        update.public_key: LivePeer(
            public_key=update.public_key,
            allowed_ips=update.add_allowed_ips,
            endpoint=update.endpoint,
        )
        for update in updates
    }


@pytest.mark.parametrize("count", [1, 465, 466, 5000])
def test_any_number_of_peers_is_set_at_once_and_read_back(subject: Subject, count: int) -> None:
    updates = many_peers(count)
    subject.configure(*updates)
    assert as_live(updates) == subject.peers()
    subject.configure(*updates)
    assert as_live(updates) == subject.peers()


@pytest.mark.parametrize("count", [2336, 2337, 5000])
@pytest.mark.parametrize("family", ["IPv4", "IPv6"])
def test_one_peer_has_any_number_of_prefixes(subject: Subject, family: str, count: int) -> None:
    template = "10.{}.{}.0/24" if family == "IPv4" else "fd00:1:{:x}:{:x}::/64"
    wanted = prefixes(*(template.format(n // 250, n % 250 + 1) for n in range(count)))
    neighbour = PeerUpdate(public_key=public_key(2), add_allowed_ips=prefixes("192.0.2.0/24"))
    subject.configure(PeerUpdate(public_key=public_key(1), add_allowed_ips=wanted), neighbour)
    assert subject.holders() == {
        public_key(1): sorted_prefixes(wanted),
        public_key(2): neighbour.add_allowed_ips,
    }


def test_prefixes_are_read_in_their_one_order_whatever_the_implementations(
    subject: Subject,
) -> None:
    mixed = prefixes("fd00:2::/64", "10.9.0.0/16", "fd00:1::/48", "10.9.0.0/24", "9.0.0.0/8")
    subject.configure(PeerUpdate(public_key=public_key(1), add_allowed_ips=mixed))
    assert subject.holders()[public_key(1)] == prefixes(
        "9.0.0.0/8", "10.9.0.0/16", "10.9.0.0/24", "fd00:1::/48", "fd00:2::/64"
    )


@pytest.mark.parametrize("prefix", ["0.0.0.0/0", "10.0.0.1/32", "::/0", "::1/128", "::ffff:0:0/96"])
def test_a_prefix_is_read_as_it_was_written(subject: Subject, prefix: str) -> None:
    subject.configure(PeerUpdate(public_key=public_key(1), add_allowed_ips=prefixes(prefix)))
    assert subject.holders()[public_key(1)] == (prefix,)


@pytest.mark.parametrize("endpoint", ["192.0.2.1:9806", "[2001:db8::1]:1", "[fd00::]:65535"])
def test_an_endpoint_is_read_as_it_was_written(subject: Subject, endpoint: str) -> None:
    subject.configure(PeerUpdate(public_key=public_key(1), endpoint=Endpoint(endpoint)))
    assert subject.peers()[public_key(1)].endpoint == endpoint


def test_an_endpoint_changes_its_family(subject: Subject) -> None:
    for endpoint in ("192.0.2.1:9806", "[2001:db8::1]:9806", "192.0.2.2:9806"):
        subject.configure(PeerUpdate(public_key=public_key(1), endpoint=Endpoint(endpoint)))
        assert subject.peers()[public_key(1)].endpoint == endpoint


def test_keepalive_is_switched_on_and_off(subject: Subject) -> None:
    for seconds in (25, 65535, 0):
        subject.configure(PeerUpdate(public_key=public_key(1), persistent_keepalive=seconds))
        assert subject.peers()[public_key(1)].persistent_keepalive == seconds


def test_a_preshared_key_is_set_changed_and_cleared(subject: Subject) -> None:
    first, second = subject.vault.put(digest("first")), subject.vault.put(digest("second"))
    for fingerprint in (first, second, ""):
        subject.configure(PeerUpdate(public_key=public_key(1), preshared_key=fingerprint))
        assert subject.peers()[public_key(1)].preshared_key == fingerprint


def test_what_an_update_does_not_name_is_left_alone(subject: Subject) -> None:
    whole = PeerUpdate(
        public_key=public_key(1),
        endpoint=Endpoint("192.0.2.1:9806"),
        persistent_keepalive=25,
        preshared_key=subject.vault.put(digest("first")),
        add_allowed_ips=prefixes("10.0.0.0/24", "fd00::/64"),
    )
    subject.configure(whole, listen_port=9806, fwmark=7)
    before = subject.get()
    subject.configure(PeerUpdate(public_key=public_key(1)))
    assert subject.get() == before
    subject.configure(PeerUpdate(public_key=public_key(2)))
    after = subject.get()
    assert before.peers[0] in after.peers
    assert (after.listen_port, after.fwmark) == (9806, 7)


def test_a_prefix_moves_to_the_peer_that_gets_it(subject: Subject) -> None:
    subject.configure(
        PeerUpdate(public_key=public_key(1), add_allowed_ips=prefixes("10.0.1.0/24", "10.0.2.0/24"))
    )
    subject.configure(PeerUpdate(public_key=public_key(2), add_allowed_ips=prefixes("10.0.2.0/24")))
    assert subject.holders() == {
        public_key(1): prefixes("10.0.1.0/24"),
        public_key(2): prefixes("10.0.2.0/24"),
    }


def test_single_prefixes_leave_and_the_rest_stays(subject: Subject) -> None:
    subject.configure(
        PeerUpdate(
            public_key=public_key(1),
            endpoint=Endpoint("192.0.2.1:9806"),
            add_allowed_ips=prefixes("10.0.1.0/24", "10.0.2.0/24", "fd00:1::/64"),
        ),
        PeerUpdate(public_key=public_key(2), add_allowed_ips=prefixes("10.0.3.0/24")),
    )
    subject.configure(
        PeerUpdate(
            public_key=public_key(1), remove_allowed_ips=prefixes("10.0.1.0/24", "fd00:1::/64")
        ),
        PeerUpdate(public_key=public_key(2), remove_allowed_ips=prefixes("10.0.3.0/24")),
    )
    assert subject.holders() == {public_key(1): prefixes("10.0.2.0/24"), public_key(2): ()}
    assert subject.peers()[public_key(1)].endpoint == "192.0.2.1:9806"


def test_taking_a_prefix_never_makes_a_peer(subject: Subject) -> None:
    removal = PeerUpdate(public_key=public_key(1), remove_allowed_ips=prefixes("10.0.1.0/24"))
    subject.configure(removal)
    assert subject.holders() == {}


def test_two_thousand_single_prefixes_leave_at_once(subject: Subject) -> None:
    all_of_them = prefixes(*(f"10.{n >> 8}.{n & 255}.0/24" for n in range(2001)))
    subject.configure(PeerUpdate(public_key=public_key(1), add_allowed_ips=all_of_them))
    subject.configure(PeerUpdate(public_key=public_key(1), remove_allowed_ips=all_of_them[1:]))
    assert subject.holders() == {public_key(1): all_of_them[:1]}


def test_a_prefix_that_has_moved_on_is_not_taken_from_its_new_holder(subject: Subject) -> None:
    prefix = prefixes("10.0.1.0/24")
    subject.configure(PeerUpdate(public_key=public_key(1), add_allowed_ips=prefix))
    subject.configure(
        PeerUpdate(public_key=public_key(1), remove_allowed_ips=prefix),
        PeerUpdate(public_key=public_key(2), add_allowed_ips=prefix),
    )
    assert subject.holders() == {public_key(1): (), public_key(2): prefix}
    subject.configure(PeerUpdate(public_key=public_key(1), remove_allowed_ips=prefix))
    assert subject.holders() == {public_key(1): (), public_key(2): prefix}


def test_a_parking_peer_that_a_crash_left_is_seen_and_removed(subject: Subject) -> None:
    subject.configure(PeerUpdate(public_key=PARKING_KEY, add_allowed_ips=prefixes("10.0.1.0/24")))
    assert subject.holders() == {PARKING_KEY: prefixes("10.0.1.0/24")}
    subject.configure(PeerUpdate(public_key=PARKING_KEY, remove=True))
    assert subject.holders() == {}


def test_peers_are_removed_and_absent_ones_stay_absent(subject: Subject) -> None:
    subject.configure(*many_peers(3))
    subject.configure(
        PeerUpdate(public_key=public_key(1), remove=True),
        PeerUpdate(public_key=public_key(9), remove=True),
    )
    assert {public_key(0), public_key(2)} == subject.holders().keys()


def test_a_peer_is_removed_and_made_anew_in_one_update(subject: Subject) -> None:
    subject.configure(*many_peers(1))
    subject.configure(
        PeerUpdate(public_key=public_key(0), remove=True),
        PeerUpdate(public_key=public_key(0), persistent_keepalive=5),
    )
    assert subject.peers() == {
        public_key(0): LivePeer(public_key=public_key(0), allowed_ips=(), persistent_keepalive=5)
    }


def test_a_device_never_becomes_its_own_peer(subject: Subject) -> None:
    key = subject.private_key("one")
    subject.configure(PeerUpdate(public_key=PublicKey(key)), private_key=key)
    assert subject.holders() == {}


def test_a_wrong_key_is_refused_and_names_the_device(subject: Subject) -> None:
    with pytest.raises(HostError) as caught:
        subject.configure(PeerUpdate(public_key=PublicKey("AAAA")))
    error = caught.value
    assert (error.operation, error.target) == ("configure WireGuard device", NAME)
    assert error.code
    assert subject.holders() == {}
