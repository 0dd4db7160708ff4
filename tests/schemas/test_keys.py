from base64 import b64decode

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from schemas.keys import NO_KEY, WEAK_KEYS


@pytest.mark.parametrize("key", sorted(WEAK_KEYS))
def test_no_secret_can_be_shared_with_a_weak_key(key: str) -> None:
    private = X25519PrivateKey.generate()
    with pytest.raises(ValueError, match="Error computing shared key"):
        private.exchange(X25519PublicKey.from_public_bytes(b64decode(key)))


def test_weak_keys_are_all_seven_points_with_either_top_bit() -> None:
    assert (len(WEAK_KEYS), NO_KEY in WEAK_KEYS) == (14, True)
