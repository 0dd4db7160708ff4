"""The host's private key: made once, replaced only on request, never shown."""

import hmac
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from secrets import token_bytes
from typing import Final, Protocol

from applier.errors import Exists
from applier.paths import Paths
from applier.vault import Vault
from schemas.problems import Problems
from schemas.values import PublicKey

KEY_LENGTH: Final = 32
_OTHERS: Final = 0o077
_SALT_INFO: Final = b"wormhole/vault/v1"


class Files(Protocol):
    """The doors that keys need; every :class:`~applier.host.Host` has them."""

    def read_file(self, path: Path) -> bytes | None:
        """Return the content; None when there is no such file."""

    def create_file(self, path: Path, content: bytes, mode: int) -> None:
        """Make a new file; :class:`~applier.errors.Exists` when there is one."""

    def file_mode(self, path: Path) -> int | None:
        """Return the permission bits; None when there is no such file."""


class RotatableFiles(Files, Protocol):
    """The doors that rotating needs too."""

    def replace_secret(self, path: Path, content: bytes) -> None:
        """Put a secret in place of an older one, whole at every moment."""


def create_key(files: Files, paths: Paths) -> PublicKey:
    """Make the host's key unless it has one; return the public half either way.

    Raises:
        Problems: there is a key file, but it is damaged or others may read it.
        HostError: the file cannot be made.

    """
    if files.read_file(paths.private_key) is None:
        try:
            files.create_file(paths.private_key, _generate_text(), 0o600)
        except Exists:
            # Another process made it between our look and our write; its key is the host's.
            return load_key(files, paths)[0]
    return load_key(files, paths)[0]


def rotate_key(files: RotatableFiles, paths: Paths) -> PublicKey:
    """Put a new key in place of the host's, or make its first; return the public half.

    The old one is not looked at: that it is damaged, or was readable by others, is a reason to
    rotate. Whoever rotates at the same time may win; the key returned is the one in place.

    Raises:
        HostError: the key cannot be written; the old one is in place.

    """
    if files.read_file(paths.private_key) is None:
        return create_key(files, paths)
    files.replace_secret(paths.private_key, _generate_text())
    return load_key(files, paths)[0]


def load_key(files: Files, paths: Paths) -> tuple[PublicKey, bytes]:
    """Return the public key as text and the private key as 32 bytes.

    Raises:
        Problems: no key file, a damaged one, or one that others may read.

    """
    text = files.read_file(paths.private_key)
    if text is None:
        raise Problems.one(
            "this host has no private key yet: `wormhole keygen` makes one",
            file=str(paths.private_key),
        )
    private = read_secret(files, paths.private_key, text, "a private key")
    return public_half(private), private


def open_vault(files: Files, paths: Paths) -> tuple[Vault, PublicKey]:
    """Return a vault that holds the private key under its public half, and that half.

    The vault's salt is derived from the private key, so fingerprints are stable on one host and
    say nothing to anybody else.

    Raises:
        Problems: as :func:`load_key`.

    """
    public, private = load_key(files, paths)
    vault = Vault(hmac.digest(private, _SALT_INFO, sha256))
    vault.put_as(public, private)
    return vault, public


def read_secret(files: Files, path: Path, text: bytes, what: str) -> bytes:
    """Return the 32 bytes of a secret file that was read; the value appears in no message.

    Raises:
        Problems: not 32 bytes of base64, all zero, or readable by others.

    """
    mode = files.file_mode(path)
    if mode is not None and mode & _OTHERS:
        rule = "others may read this secret: make it 0600, and consider a new one"
        raise Problems.one(rule, file=str(path), value=f"{mode:04o}")
    try:
        secret = b64decode(text.strip(), validate=True)
    except ValueError:
        secret = b""
    if len(secret) != KEY_LENGTH or not any(secret):
        rule = f"not {what}: 32 bytes of base64 are needed; the file is left as it is"
        raise Problems.one(rule, file=str(path))
    return secret


def public_half(private: bytes) -> PublicKey:
    """Return a private key's public half (X25519, RFC 7748), as ``wg pubkey`` prints it."""
    from cryptography.hazmat.primitives.asymmetric import x25519  # noqa: PLC0415 - 30 ms

    key = x25519.X25519PrivateKey.from_private_bytes(private)
    return PublicKey(b64encode(key.public_key().public_bytes_raw()).decode())


def clamp(private: bytes) -> bytes:
    """Return a private key with the bits set that X25519 sets anyway (RFC 7748, section 5).

    The kernel keeps its key so, and compares raw bytes: sent another spelling of the same key, it
    takes it for a new one and ends all sessions (``wg_set_device``, ``net/wireguard/netlink.c``).
    """
    key = bytearray(private)
    key[0] &= 0b1111_1000
    key[-1] = key[-1] & 0b0111_1111 | 0b0100_0000
    return bytes(key)


def _generate_text() -> bytes:
    """Return a new private key as its file holds it."""
    return b64encode(_generate()) + b"\n"


def _generate() -> bytes:
    """Return a new private key, clamped as ``wg genkey`` prints one."""
    return clamp(token_bytes(KEY_LENGTH))
