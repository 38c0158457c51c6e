"""People as rows. What is written is of the person that `set_scope` named."""

from collections.abc import Sequence
from typing import Final

from edge.people.models import Person
from topics.outbox import AnyConnection

SET_SCOPE: Final = "SELECT set_config('app.person', $1, true)"
_PERSON: Final = "SELECT id, wrapped_key, profile FROM edge.people WHERE forgotten_at IS NULL AND "
BY_IDENTITY: Final = _PERSON + "identity_hash = $1"
BY_ID: Final = _PERSON + "id = $1"
BY_IDS: Final = _PERSON + "id = ANY ($1::text[])"
BY_EMAIL: Final = """
    SELECT id FROM edge.people WHERE email_hash = $1 AND forgotten_at IS NULL
    ORDER BY created_at, id
"""
ADD: Final = """
    INSERT INTO edge.people (id, identity_hash, wrapped_key) VALUES ($1, $2, $3)
    ON CONFLICT (identity_hash) DO NOTHING
"""
DESCRIBE: Final = "UPDATE edge.people SET profile = $2, email_hash = $3 WHERE id = $1"


async def set_scope(connection: AnyConnection, person: str) -> None:
    """Let this transaction write the rows of this person, and no others."""
    await connection.execute(SET_SCOPE, person)


async def by_identity(connection: AnyConnection, identity_hash: bytes) -> Person | None:
    """The person with this identity at a provider."""
    row = await connection.fetchrow(BY_IDENTITY, identity_hash)
    return Person(**row) if row is not None else None


async def by_id(connection: AnyConnection, person: str) -> Person | None:
    """The person `usr_…`; None when there is none, or was."""
    row = await connection.fetchrow(BY_ID, person)
    return Person(**row) if row is not None else None


async def by_ids(connection: AnyConnection, people: Sequence[str]) -> list[Person]:
    """Those of these people that there are."""
    return [Person(**row) for row in await connection.fetch(BY_IDS, list(people))]


async def by_email(connection: AnyConnection, email_hash: bytes) -> list[str]:
    """Who has this verified address: ids, the first known first."""
    return [row["id"] for row in await connection.fetch(BY_EMAIL, email_hash)]


async def add(
    connection: AnyConnection, person: str, identity_hash: bytes, wrapped_key: bytes
) -> None:
    """Make a person, unless somebody did so for this identity."""
    await connection.execute(ADD, person, identity_hash, wrapped_key)


async def describe(
    connection: AnyConnection, person: str, profile: bytes, email_hash: bytes | None
) -> None:
    """Keep what the provider says now of the person."""
    await connection.execute(DESCRIBE, person, profile, email_hash)
