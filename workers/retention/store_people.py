"""People who sign in, as an erasure sees them."""

from typing import Final, NamedTuple

from topics.outbox import AnyConnection

FORGET: Final = "SELECT edge.forget_person($1)"
TO_FORGET: Final = """
    SELECT id, person, basis FROM edge.person_erasures
    WHERE done_at IS NULL ORDER BY requested_at, id LIMIT $1
"""
FORGOTTEN: Final = "UPDATE edge.person_erasures SET done_at = clock_timestamp() WHERE id = $1"


class PersonRequest(NamedTuple):
    """A person who asked to be forgotten."""

    id: str
    person: str
    basis: str


async def forget(connection: AnyConnection, person: str) -> bool:
    """Destroy what is known of a person, with their sessions; False when nobody was there."""
    done: bool = await connection.fetchval(FORGET, person)
    return done


async def to_forget(connection: AnyConnection, most: int) -> list[PersonRequest]:
    """Requests that were not met yet, the oldest first."""
    return [PersonRequest(**dict(row)) for row in await connection.fetch(TO_FORGET, most)]


async def forgotten(connection: AnyConnection, request: str) -> None:
    """Note that a request was met."""
    await connection.execute(FORGOTTEN, request)
