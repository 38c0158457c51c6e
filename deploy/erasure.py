"""Which profile an operator means: found by a mail address or by a donation."""

from typing import Any

from edge.database.store import set_scope
from edge.donors import store as donors
from edge.donors.people import People, person_of
from workers.retention.erasing import (
    BASIS_DEFAULT,
    Erased,
    ErasureError,
    apply_journal,
    erase,
)

__all__ = [
    "BASIS_DEFAULT",
    "Erased",
    "ErasureError",
    "apply_journal",
    "erase",
    "find_by_donation",
    "find_by_email",
]


async def find_by_email(
    connection: Any, organization: str, email: str, master_key: bytes
) -> str | None:
    """The profile behind a mail address, which is hashed here and goes nowhere."""
    person = People(master_key).hash(organization, person_of(email))
    async with connection.transaction():
        await set_scope(connection, [organization])
        return await donors.find_by_person(connection, organization, person)


async def find_by_donation(connection: Any, organization: str, donation: str) -> str | None:
    """The profile behind a donation."""
    async with connection.transaction():
        await set_scope(connection, [organization])
        return await donors.find_by_donation(connection, organization, donation)
