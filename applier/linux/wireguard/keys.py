"""WireGuard's keys: 32 bytes, written as base64 in documents and as hexadecimal in UAPI."""

from binascii import a2b_base64, b2a_base64
from typing import Final

from applier.keys import KEY_LENGTH, clamp
from applier.vault import Vault
from schemas.values import PublicKey

NO_KEY: Final = bytes(KEY_LENGTH)
"""What WireGuard reads and prints where there is no private or pre-shared key."""

PARKING_KEY: Final = PublicKey("AQ" + "A" * 41 + "=")
"""The public key of a peer that prefixes are moved to when they are to leave a device.

Both implementations move a prefix to its new peer at once, and drop the prefixes of a removed
peer; so a prefix leaves by way of this one without the emptying and refilling that
``WGPEER_F_REPLACE_ALLOWEDIPS`` means. (``WGALLOWEDIP_F_REMOVE_ME`` is too young to rely on.)

The key is 1, a point of low order (RFC 7748, section 6.1), which is nobody's: every secret
shared with it is zero, and WireGuard refuses those, so no session can come about with it. The
key 0 would do as well, but that wireguard-go takes it for the device's own while the device has
no private key, and passes over a device's own key without a word.
"""


def key_text(key: bytes) -> PublicKey:
    """Return a public key as documents write it."""
    return PublicKey(b2a_base64(key, newline=False).decode())


def key_bytes(text: str) -> bytes:
    """Return the 32 bytes of a public key."""
    return a2b_base64(text)


def keep_preshared_key(vault: Vault, key: bytes) -> str:
    """Put what a device answered into the vault; return its fingerprint, empty for no key."""
    return "" if key == NO_KEY else vault.put(key)


def reveal_preshared_key(vault: Vault, fingerprint: str) -> bytes:
    """Return the pre-shared key to send; the bytes that clear it for ``""``."""
    return vault.reveal(fingerprint) if fingerprint else NO_KEY


def reveal_private_key(vault: Vault, public_key: str) -> bytes:
    """Return the private key to send; the bytes that clear it for ``""``.

    It is clamped, as implementations keep it.
    """
    return clamp(vault.reveal(public_key)) if public_key else NO_KEY
