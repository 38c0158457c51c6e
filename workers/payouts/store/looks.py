"""What the rounds of payouts ask first: the business time, and which payouts wait for a look."""

from typing import Final

from topics.outbox import AnyConnection
from workers.gateways.database import Pool

DUE: Final = "SELECT organization, account, id FROM payouts.due_looks($1)"
# Whoever comes first takes the turn: of two processes one sends the look.
TAKE: Final = """
    UPDATE payouts.payouts SET looks = looks + 1, next_look_at = NULL
    WHERE id = $1 AND organization = $2 AND next_look_at <= now() RETURNING 1
"""

WAITING: Final = "SELECT number, oldest_s FROM payouts.waiting()"


async def due(pool: Pool, most: int) -> list[tuple[str, str, str]]:
    """Payouts that wait and whose time has come: (organization, account, payout)."""
    rows = await pool.fetch(DUE, most)
    return [(row["organization"], row["account"], row["id"]) for row in rows]


async def take(connection: AnyConnection, organization: str, payout: str) -> bool:
    """Whether it is ours to look again, this time."""
    return bool(await connection.fetchval(TAKE, payout, organization))


async def waiting(pool: Pool) -> tuple[int, float]:
    """How many payouts wait for movements, of all organizations, and for how long the oldest."""
    row = await pool.fetchrow(WAITING)
    assert row is not None
    return row["number"], row["oldest_s"]
