"""How an organization knows a person again: a keyed hash of the mail address.

The key lies outside the database, so that nobody who has only the database can try addresses; the
organization is part of what is hashed, so that two organizations cannot compare theirs.
"""

import hashlib
import hmac
from typing import Final

from ledger import keys

_PURPOSE: Final = "person"


def person_of(email: str) -> str:
    """The form in which mail addresses are compared."""
    return email.strip().casefold()


class People:
    """Hashes persons under a key derived from the master key (32 bytes)."""

    def __init__(self, master_key: bytes) -> None:
        self._key = keys.derive(master_key, _PURPOSE)

    def hash(self, organization: str, person: str) -> bytes:
        """The 32 bytes by which the organization's profile of `person` is found."""
        return hmac.digest(self._key, f"{organization}\n{person}".encode(), hashlib.sha256)
