"""The text that userspace WireGuard speaks on its socket: devices to values, updates to text.

The protocol is the one at https://www.wireguard.com/xplatform/#configuration-protocol. It
calls keys in hexadecimal, and answers every operation with ``errno=N`` and an empty line.
"""

from binascii import unhexlify
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from applier.host import DeviceUpdate, LiveDevice, LivePeer, PeerUpdate
from applier.linux.wireguard.keys import (
    NO_KEY,
    PARKING_KEY,
    keep_preshared_key,
    key_bytes,
    key_text,
    reveal_preshared_key,
    reveal_private_key,
)
from applier.linux.wireguard.prefixes import canonical_prefixes
from applier.linux.wireguard.removal import only_removes
from applier.vault import Vault
from schemas.values import Endpoint, Prefix, PublicKey

GET: Final = b"get=1\n\n"
TRANSACTION_SIZE: Final = 100_000
"""Characters. None is needed, but an error names only its transaction, not the line in it."""

_PEER_START: Final = "\npublic_key="


# ---- devices, read ----------------------------------------------------------------------------


def split_answer(text: str) -> tuple[int, str]:
    """Split an answer into its ``errno`` and what comes before it.

    Raises:
        ValueError: the text does not end as an answer does.

    """
    body, found, code = text.rpartition("errno=")
    if not found or not code.endswith("\n\n"):
        raise ValueError("an answer that ends without errno")
    return int(code), body


def decode_device(
    body: str, vault: Vault, public_key_of: Callable[[bytes], PublicKey]
) -> LiveDevice:
    """Build the device from the answer to ``get=1``; secrets go into the vault.

    Lines before the first ``public_key`` are the device's. ``public_key_of`` computes the
    public half of a private key, which the protocol does not tell.

    Raises:
        ValueError: a line or value is not what the protocol says.

    """
    head, *peers = ("\n" + body).split(_PEER_START)
    device, _ = _parse_lines(head.split("\n"))
    private_key = unhexlify(device.get("private_key", ""))
    public_key = ""
    if private_key and private_key != NO_KEY:
        public_key = public_key_of(private_key)
        vault.put_as(public_key, private_key)
    return LiveDevice(
        public_key=public_key,
        listen_port=int(device.get("listen_port", 0)),
        fwmark=int(device.get("fwmark", 0)),
        peers=tuple([_peer_value(peer, vault) for peer in peers]),
    )


def _peer_value(text: str, vault: Vault) -> LivePeer:
    public_key, *lines = text.split("\n")
    values, prefixes = _parse_lines(lines)
    preshared_key = values.get("preshared_key")
    endpoint = values.get("endpoint")
    return LivePeer(
        public_key=key_text(unhexlify(public_key)),
        allowed_ips=canonical_prefixes(prefixes),
        endpoint=None if endpoint is None else Endpoint(endpoint),
        persistent_keepalive=int(values.get("persistent_keepalive_interval", 0)),
        preshared_key=keep_preshared_key(vault, unhexlify(preshared_key)) if preshared_key else "",
        last_handshake=int(values.get("last_handshake_time_sec", 0)),
        received=int(values.get("rx_bytes", 0)),
        sent=int(values.get("tx_bytes", 0)),
    )


def _parse_lines(lines: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """Return values by key, and apart from them the one key that comes many times."""
    values: dict[str, str] = {}
    prefixes: list[str] = []
    for line in lines:
        key, equals, value = line.partition("=")
        if key == "allowed_ip":
            prefixes.append(value)
        elif equals:
            values[key] = value
        elif line:
            raise ValueError(f"a line without a value, {len(line)} characters long")
    return values, prefixes


# ---- updates, written -------------------------------------------------------------------------


def set_device(update: DeviceUpdate, vault: Vault) -> Iterator[str]:
    """Yield the transactions that send an update, all but its single prefixes to remove."""
    kept = (peer for peer in update.peers if not only_removes(peer))
    peers = ("".join(_peer_lines(peer, vault)) for peer in kept)
    yield from _transactions(peers, "".join(_device_lines(update, vault)))


def remove_prefixes(prefixes: Iterable[Prefix]) -> Iterator[str]:
    """Yield the transaction that takes prefixes away from whichever peers hold them."""
    allowed_ips = "".join(f"allowed_ip={prefix}\n" for prefix in prefixes)
    if allowed_ips:
        key = f"public_key={key_bytes(PARKING_KEY).hex()}\n"
        yield f"set=1\n{key}{allowed_ips}{key}remove=true\n\n"


def _transactions(peers: Iterable[str], device: str) -> Iterator[str]:
    batch = [device] if device else []
    size = 0
    for peer in peers:
        if size + len(peer) > TRANSACTION_SIZE and batch:
            yield "set=1\n" + "".join(batch) + "\n"
            batch, size = [], 0
        batch.append(peer)
        size += len(peer)
    if batch:
        yield "set=1\n" + "".join(batch) + "\n"


def _device_lines(update: DeviceUpdate, vault: Vault) -> Iterator[str]:
    if update.private_key is not None:
        yield f"private_key={reveal_private_key(vault, update.private_key).hex()}\n"
    if update.listen_port is not None:
        yield f"listen_port={update.listen_port}\n"
    if update.fwmark is not None:
        yield f"fwmark={update.fwmark}\n"


def _peer_lines(peer: PeerUpdate, vault: Vault) -> Iterator[str]:
    yield f"public_key={key_bytes(peer.public_key).hex()}\n"
    if peer.remove:
        yield "remove=true\n"
        return
    if peer.preshared_key is not None:
        yield f"preshared_key={reveal_preshared_key(vault, peer.preshared_key).hex()}\n"
    if peer.endpoint is not None:
        yield f"endpoint={peer.endpoint}\n"
    if peer.persistent_keepalive is not None:
        yield f"persistent_keepalive_interval={peer.persistent_keepalive}\n"
    for prefix in peer.add_allowed_ips:
        yield f"allowed_ip={prefix}\n"
