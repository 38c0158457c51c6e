"""Secret keys: one master key, a sub-key for each purpose, authenticated encryption under them.

Rules: a purpose is a fixed text of the code, never data; a nonce is random and used once; what a
ciphertext belongs to is authenticated with it, so that moved ciphertexts do not decrypt.
"""

import hashlib
import hmac
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_WRAPPING: Final = "donor-profile"


class DecryptionError(ValueError):
    """The ciphertext was not made with this key for this object, or was changed."""


def derive(master: bytes, purpose: str) -> bytes:
    """The 32-byte key for a purpose: HMAC-SHA256 of its name under the 32-byte master key."""
    if len(master) != KEY_BYTES:
        raise ValueError(f"a master key has {KEY_BYTES} bytes")
    return hmac.digest(master, purpose.encode(), hashlib.sha256)


def encrypt(key: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """Nonce (12 bytes) and AES-256-GCM ciphertext, bound to `associated` (NIST SP 800-38D)."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, associated)


def decrypt(key: bytes, ciphertext: bytes, associated: bytes) -> bytes:
    """The plaintext that `encrypt` was given; DecryptionError for anything else."""
    if len(ciphertext) < _NONCE_BYTES + _TAG_BYTES:
        raise DecryptionError("the ciphertext is too short")
    nonce, body = ciphertext[:_NONCE_BYTES], ciphertext[_NONCE_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, body, associated)
    except InvalidTag as error:
        raise DecryptionError("the ciphertext does not belong to this key and object") from error


def new_data_key() -> bytes:
    """A fresh 32-byte data key for one donor profile."""
    return secrets.token_bytes(KEY_BYTES)


class KeyRing:
    """Wraps data keys under a key that never lies in the database beside them."""

    def __init__(self, master: bytes, purpose: str = _WRAPPING) -> None:
        self._key = derive(master, purpose)

    def wrap(self, data_key: bytes, profile_id: str) -> bytes:
        """The data key of a profile or person, encrypted and bound to their id."""
        return encrypt(self._key, data_key, profile_id.encode())

    def unwrap(self, wrapped: bytes, profile_id: str) -> bytes:
        """The data key in `wrapped`; DecryptionError when it is not of this profile."""
        return decrypt(self._key, wrapped, profile_id.encode())
