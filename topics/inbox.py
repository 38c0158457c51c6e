"""Remember which messages a worker has handled, in the transaction of what they caused."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

from topics.outbox import AnyConnection

FIRST_SIGHTS: Final = """
    INSERT INTO messages.inbox (id, worker) SELECT unnest($1::uuid[]), $2
    ON CONFLICT DO NOTHING RETURNING id
"""
SEEN: Final = "SELECT id FROM messages.inbox WHERE id = ANY($1::uuid[]) AND worker = $2"


async def first_sights(
    connection: AnyConnection, worker: str, ids: Iterable[UUID]
) -> frozenset[UUID]:
    """Those of `ids` that `worker` has not handled, from now on marked as handled.

    Waits for another transaction that is handling one of them. In the order of the ids, so that
    two processes with the same messages wait for one another instead of in a circle.
    """
    wanted = sorted(set(ids))
    if not wanted:
        return frozenset()
    rows = await connection.fetch(FIRST_SIGHTS, wanted, worker)
    return frozenset(row["id"] for row in rows)


async def seen(connection: AnyConnection, worker: str, ids: Iterable[UUID]) -> frozenset[UUID]:
    """Those of `ids` that `worker` has handled."""
    rows = await connection.fetch(SEEN, list(ids), worker)
    return frozenset(row["id"] for row in rows)
