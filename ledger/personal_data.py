"""A donor's data as it leaves the edge: a seal for the ledger, a ciphertext for the opening.

Rules: the salt is fresh for every seal, so equal donors give unequal seals; the opening is
encrypted under the data key of the donor's profile, so that destroying the key forgets the person.
"""

import base64
import binascii
import secrets
from typing import Any

from amply_verify import canonical, entry
from amply_verify.errors import CanonicalError
from ledger import keys

SECTION = "donor"


class PersonalDataError(ValueError):
    """The donor's data cannot be sealed or opened; the message never quotes it."""


def seal_donor(value: dict[str, Any], profile_id: str, data_key: bytes) -> tuple[str, str]:
    """Seal a donor (an object of text fields) for one entry.

    Returns the seal (64 hex digits) and the encrypted opening (base64 of nonce and ciphertext), as
    `SealedDonor` carries them. The opening is the canonical JSON `{"salt", "value"}`.
    """
    if "sealed" in value:
        raise PersonalDataError("a donor has no field named sealed")
    salt = secrets.token_bytes(entry.SALT_BYTES)
    try:
        seal = entry.seal(SECTION, salt, canonical.encode(value))
        opening = canonical.encode({"salt": canonical.to_base64(salt), "value": value})
    except CanonicalError as error:
        raise PersonalDataError("a donor's fields must have a canonical form") from error
    ciphertext = keys.encrypt(data_key, opening, profile_id.encode())
    return seal, base64.b64encode(ciphertext).decode()


def open_donor(opening_base64: str, profile_id: str, data_key: bytes) -> dict[str, Any]:
    """The opening `{"salt", "value"}` behind `seal_donor`'s second result.

    Raises `keys.DecryptionError` when the key is not the profile's or the text was changed.
    """
    try:
        ciphertext = base64.b64decode(opening_base64, validate=True)
    except binascii.Error as error:
        raise keys.DecryptionError("the opening is not base64") from error
    plain = keys.decrypt(data_key, ciphertext, profile_id.encode())
    opening: dict[str, Any] = canonical.parse(plain)
    return opening
