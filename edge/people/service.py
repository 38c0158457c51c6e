"""Who a provider's subject is here: an id `usr_…`, made when they are first seen.

The keys of the hashes lie outside the database, so that nobody who has only the database can try
subjects or addresses. Name and address are encrypted under a key per person (`ledger/keys.py`).
"""

import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from contracts.identifiers import random_id, type_id
from edge.database.pool import Database
from edge.donors.people import person_of
from edge.people import store
from edge.people.models import Person, Profile
from ledger import keys
from topics.outbox import AnyConnection

_IDENTITY: Final = "person-identity"
_EMAIL: Final = "person-email"
_KEY: Final = "person-key"


class Persons:
    """Finds, makes and reads people."""

    def __init__(self, database: Database, master_key: bytes) -> None:
        self._database = database
        self._identity_key = keys.derive(master_key, _IDENTITY)
        self._email_key = keys.derive(master_key, _EMAIL)
        self._key_ring = keys.KeyRing(master_key, _KEY)

    async def known(self, issuer: str, subject: str) -> Person:
        """The person behind a provider's subject."""
        async with self._database.connection() as connection:
            return await self.find_or_make(connection, issuer, subject)

    async def find_or_make(self, connection: AnyConnection, issuer: str, subject: str) -> Person:
        """The same, on a connection; not inside a transaction of the caller's."""
        identity = hmac.digest(self._identity_key, f"{issuer}\n{subject}".encode(), hashlib.sha256)
        found = await store.by_identity(connection, identity)
        while found is None:
            person = type_id("usr", random_id(datetime.now(UTC)))
            wrapped = self._key_ring.wrap(keys.new_data_key(), person)
            async with connection.transaction():
                await store.set_scope(connection, person)
                await store.add(connection, person, identity, wrapped)
            # Another edge may have made them at the same moment, and its id counts.
            found = await store.by_identity(connection, identity)
        return found

    async def describe(self, person: Person, profile: Profile) -> None:
        """Keep what the provider says now, if that is something else."""
        if self.profile(person) == profile:
            return
        email_hash = self.email_hash(profile.email) if profile.email is not None else None
        said = orjson.dumps({"name": profile.name, "email": profile.email})
        async with self._database.transaction([]) as connection:
            await store.set_scope(connection, person.id)
            await store.describe(connection, person.id, self.seal(person, said), email_hash)

    async def find(self, person: str) -> Person | None:
        """The person `usr_…`; None when there is none, or was."""
        async with self._database.connection() as connection:
            return await store.by_id(connection, person)

    async def profiles(self, people: Sequence[str]) -> dict[str, Profile]:
        """What is known of those of these people whom we still know."""
        async with self._database.connection() as connection:
            found = await store.by_ids(connection, people)
        return {person.id: self.profile(person) for person in found}

    def profile(self, person: Person) -> Profile:
        """What is known of them."""
        if person.profile is None:
            return Profile()
        said: dict[str, Any] = orjson.loads(self.open(person, person.profile))
        return Profile(said["name"], said["email"])

    def email_hash(self, email: str) -> bytes:
        """By which people with this verified address are found (`store.by_email`)."""
        return hmac.digest(self._email_key, person_of(email).encode(), hashlib.sha256)

    def seal(self, person: Person, plain: bytes) -> bytes:
        """Encrypt something under the person's key."""
        data_key = self._key_ring.unwrap(person.wrapped_key, person.id)
        return keys.encrypt(data_key, plain, person.id.encode())

    def open(self, person: Person, ciphertext: bytes) -> bytes:
        """What `seal` was given."""
        data_key = self._key_ring.unwrap(person.wrapped_key, person.id)
        return keys.decrypt(data_key, ciphertext, person.id.encode())
