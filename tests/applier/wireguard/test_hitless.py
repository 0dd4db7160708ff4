"""Two hosts ping each other through the tunnel while one of them is changed: nothing is lost."""

import hashlib
import re
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from applier.host import DeviceUpdate, PeerUpdate
from applier.linux.wireguard.keys import key_text
from schemas.values import Endpoint, Prefix, PublicKey
from tests.applier.wireguard.conftest import GROUP, Implementation
from tests.applier.wireguard.namespace import inside_network

PING_SECONDS = 4
PER_SECOND = 100


@dataclass
class Host:
    """One end of the tunnel."""

    number: int
    implementation: Implementation
    network: str

    @property
    def device(self) -> str:
        return f"wg-host{self.number}"

    @property
    def pods(self) -> Prefix:
        return Prefix(f"10.99.{self.number}.0/24")

    @property
    def public_key(self) -> PublicKey:
        private = hashlib.sha256(self.device.encode()).digest()
        public = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
        return PublicKey(self.implementation.vault.put_as(key_text(public), private))

    def entered(self) -> AbstractContextManager[None]:
        return inside_network(self.network) if self.network else nullcontext()

    def configure(self, *peers: PeerUpdate, **device: Any) -> None:  # noqa: ANN401 - the fields of DeviceUpdate
        with self.entered():
            self.implementation.door.configure(self.device, DeviceUpdate(peers=peers, **device))

    def ip(self, *lines: str) -> None:
        with self.entered():
            subprocess.run(
                ["ip", "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True
            )

    def join(self, other: "Host") -> None:
        with self.entered():
            self.implementation.door.create(self.device, GROUP)
        peer = PeerUpdate(
            public_key=other.public_key,
            endpoint=Endpoint(f"192.0.2.{other.number}:9806"),
            add_allowed_ips=(other.pods,),
        )
        self.configure(peer, private_key=self.public_key, listen_port=9806)
        self.ip(
            f"address add 192.0.2.{self.number}/24 dev veth{self.number}",
            f"link set veth{self.number} up",
            f"address add 10.99.{self.number}.1/32 dev {self.device}",
            f"link set {self.device} up",
            f"route add {other.pods} dev {self.device}",
        )


@pytest.fixture
def hosts(real_implementation: Implementation) -> Iterator[tuple[Host, Host]]:
    subprocess.run(["ip", "netns", "add", "far"], check=True)
    subprocess.run(["ip", "link", "add", "veth1", "type", "veth", "peer", "veth2"], check=True)
    subprocess.run(["ip", "link", "set", "veth2", "netns", "far"], check=True)
    near, far = Host(1, real_implementation, ""), Host(2, real_implementation, "far")
    near.join(far)
    far.join(near)
    subprocess.run(["ping", "-qc1", "-W5", "10.99.2.1"], check=True, stdout=subprocess.DEVNULL)
    yield near, far
    for host in (near, far):
        with host.entered():
            real_implementation.door.delete(host.device)
    subprocess.run(["ip", "netns", "delete", "far"], check=True)


@pytest.fixture
def pings(hosts: tuple[Host, Host]) -> Iterator[None]:
    """Ping while the test runs, and for a moment after it; then count."""
    near, _ = hosts
    count = PING_SECONDS * PER_SECOND
    with subprocess.Popen(
        ["ping", "-q", f"-c{count}", f"-i{1 / PER_SECOND}", "-W2", "-I", near.device, "10.99.2.1"],
        stdout=subprocess.PIPE,
        text=True,
    ) as ping:
        yield
        output, _ = ping.communicate(timeout=60)
    assert re.findall(r"(\d+) packets transmitted, (\d+) received", output) == [
        (str(count), str(count))
    ], output


@pytest.mark.usefixtures("pings")
def test_prefixes_come_and_go(hosts: tuple[Host, Host]) -> None:
    near, far = hosts
    spare = tuple(Prefix(f"10.98.{number}.0/24") for number in range(5))
    for _ in range(30):
        near.configure(PeerUpdate(public_key=far.public_key, add_allowed_ips=spare))
        near.configure(PeerUpdate(public_key=far.public_key, remove_allowed_ips=spare))


@pytest.mark.usefixtures("pings")
def test_what_is_set_is_set_again(hosts: tuple[Host, Host]) -> None:
    near, far = hosts
    for seconds in range(30):
        near.configure(
            PeerUpdate(
                public_key=far.public_key,
                endpoint=Endpoint("192.0.2.2:9806"),
                persistent_keepalive=seconds,
                add_allowed_ips=(far.pods,),
            ),
            private_key=near.public_key,
        )


@pytest.mark.usefixtures("pings")
def test_a_preshared_key_comes_changes_and_goes(hosts: tuple[Host, Host]) -> None:
    near, far = hosts
    vault = near.implementation.vault
    for fingerprint in (vault.put(b"1" * 32), vault.put(b"2" * 32), ""):
        near.configure(PeerUpdate(public_key=far.public_key, preshared_key=fingerprint))
        far.configure(PeerUpdate(public_key=near.public_key, preshared_key=fingerprint))


@pytest.mark.usefixtures("pings")
def test_five_hundred_others_join_and_leave(hosts: tuple[Host, Host]) -> None:
    near, _ = hosts
    others = [key_text(hashlib.sha256(bytes([n >> 8, n & 255])).digest()) for n in range(500)]
    near.configure(
        *(
            PeerUpdate(public_key=key, add_allowed_ips=(Prefix(f"10.{n >> 8}.{n & 255}.0/24"),))
            for n, key in enumerate(others)
        )
    )
    near.configure(*(PeerUpdate(public_key=key, remove=True) for key in others))
