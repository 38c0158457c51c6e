"""The file of a log's signing keys, encrypted at rest.

Rules: seeds lie in it only under AES-256-GCM, with a key that scrypt (RFC 7914) derives from a
passphrase kept elsewhere; what a ciphertext belongs to is authenticated with it. The first key is
the one that the log began with; which of them sign is not said here but by the log.
"""

import base64
import json
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from amply_verify.note import Signer
from ledger.keys import KEY_BYTES, DecryptionError, decrypt, encrypt

FORMAT: Final = "amply/log-keys/v1"
PASSPHRASE_LENGTH_MIN: Final = 16
#: N of scrypt with r 8 and p 1: 32 MiB and a tenth of a second for each guess.
WORK: Final = 1 << 15
_WORK_MAX: Final = 1 << 20
_SALT_BYTES: Final = 16


class KeyFileError(ValueError):
    """The key file cannot be read; the text says why."""


class SigningKey(NamedTuple):
    """A 32-byte Ed25519 seed, and when it was drawn."""

    seed: bytes
    created: datetime


def new_key(now: datetime) -> SigningKey:
    """A fresh key."""
    return SigningKey(secrets.token_bytes(KEY_BYTES), now)


def seal(keys: Sequence[SigningKey], origin: str, passphrase: bytes, work: int = WORK) -> bytes:
    """The file that holds these keys of the log named `origin`; another salt each time."""
    salt = secrets.token_bytes(_SALT_BYTES)
    secret = _derive(passphrase, salt, work)
    sealed = [
        {
            "vkey": (name := str(Signer(origin, key.seed).key)),
            "created": key.created.isoformat(),
            "sealed": base64.b64encode(encrypt(secret, key.seed, name.encode())).decode(),
        }
        for key in keys
    ]
    value = {"format": FORMAT, "n": work, "salt": salt.hex(), "keys": sealed}
    return json.dumps(value, indent=1).encode() + b"\n"


def unseal(data: bytes, origin: str, passphrase: bytes) -> list[SigningKey]:
    """The keys in a file, in its order; KeyFileError unless they are all this log's."""
    try:
        value: dict[str, Any] = json.loads(data)
        if value["format"] != FORMAT:
            raise KeyFileError(f"the key file is not of the format {FORMAT}")
        work = value["n"]
        if not isinstance(work, int) or not 2 <= work <= _WORK_MAX or work & (work - 1):
            raise KeyFileError("the key file asks for an unreasonable amount of work")
        secret = _derive(passphrase, bytes.fromhex(value["salt"]), work)
        keys = [_unseal(sealed, origin, secret) for sealed in value["keys"]]
    except KeyFileError:
        raise
    except DecryptionError as error:
        raise KeyFileError("the passphrase is not that of the key file") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise KeyFileError(
            "the key file does not hold encrypted keys; `amply up` encrypts one in plain hex"
        ) from error
    if not keys:
        raise KeyFileError("the key file holds no key")
    return keys


def _unseal(sealed: dict[str, str], origin: str, secret: bytes) -> SigningKey:
    name = sealed["vkey"]
    seed = decrypt(secret, base64.b64decode(sealed["sealed"], validate=True), name.encode())
    if str(Signer(origin, seed).key) != name:
        raise KeyFileError(f"the key file is of another log than {origin}")
    return SigningKey(seed, datetime.fromisoformat(sealed["created"]))


def _derive(passphrase: bytes, salt: bytes, work: int) -> bytes:
    if len(passphrase) < PASSPHRASE_LENGTH_MIN:
        raise KeyFileError(f"a passphrase has at least {PASSPHRASE_LENGTH_MIN} bytes")
    return Scrypt(salt=salt, length=KEY_BYTES, n=work, r=8, p=1).derive(passphrase)
