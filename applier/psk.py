"""An epoch's master secret to the pre-shared key of one pair of hosts.

``HKDF-SHA256`` (RFC 5869) with salt ``wormhole/psk/v1`` and info ``epoch 0x00 lower higher``: the
two raw public keys, ordered as bytes, so that both ends derive the same key. One small secret per
epoch serves any number of hosts.
"""

import hmac
from base64 import b64decode
from hashlib import sha256
from typing import Final

from applier.keys import Files, read_secret
from applier.paths import Paths
from schemas.problems import Problems
from schemas.values import PublicKey

_SALT: Final = b"wormhole/psk/v1"


def extract(master: bytes) -> bytes:
    """Return HKDF's pseudo-random key: once for a master, whatever the number of peers."""
    return hmac.digest(_SALT, master, sha256)


def expand(key: bytes, epoch: str, ours: PublicKey, theirs: PublicKey) -> bytes:
    """Return a pair's 32-byte key, the same whichever of the two asks.

    One block: the length asked for is the hash's (RFC 5869, 2.3).
    """
    lower, higher = sorted((b64decode(ours), b64decode(theirs)))
    return hmac.digest(key, epoch.encode() + b"\0" + lower + higher + b"\x01", sha256)


def load_master(files: Files, paths: Paths, epoch: str) -> bytes:
    """Return the 32 bytes of an epoch's master secret.

    Raises:
        Problems: no such file, a damaged one, or one that others may read.

    """
    path = paths.master(epoch)
    text = files.read_file(path)
    if text is None:
        rule = (
            "no master secret for this pre-shared-key epoch: put the mesh's there, "
            "as `wg genpsk` prints one"
        )
        raise Problems.one(rule, file=str(path), path="wireguard.presharedKeyEpoch", value=epoch)
    return read_secret(files, path, text, "a master secret")
