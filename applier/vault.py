"""Where secrets are while the applier runs: behind fingerprints, so that no value holds one.

Every value, plan, log and error carries only a fingerprint, or the public half of a key. The
WireGuard doors put what they read in here and ask for what they send.
"""

import hmac
from hashlib import sha256
from typing import Final, NoReturn

_SEAL: Final = b"wormhole/seal/v1\0"


class Vault:
    """Secrets by fingerprint, in memory only. It neither prints nor pickles."""

    def __init__(self, salt: bytes) -> None:
        self._salt = salt
        self._secrets: dict[str, bytes] = {}

    def put(self, secret: bytes) -> str:
        """Keep a secret; return its fingerprint: 16 hex digits keyed with the host's salt.

        The salt is secret too (derived from the host's private key), so that a fingerprint in
        a shared plan cannot be used to test guesses.
        """
        fingerprint = hmac.digest(self._salt, secret, sha256).hex()[:16]
        self._secrets[fingerprint] = secret
        return fingerprint

    def put_as(self, name: str, secret: bytes) -> str:
        """Keep a secret under a public name of its own: a private key under its public half."""
        self._secrets[name] = secret
        return name

    def reveal(self, fingerprint: str) -> bytes:
        """Return the secret. Raises ``KeyError`` (a bug) when it was never put in."""
        return self._secrets[fingerprint]

    def seal(self, content: bytes) -> str:
        """Return what only this host can make of a content: 64 hex digits, keyed with its salt."""
        return hmac.digest(self._salt, _SEAL + content, sha256).hex()

    def __repr__(self) -> str:
        return f"<Vault of {len(self._secrets)} secrets>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a vault is not to be copied or stored")
