"""Declines by card, for an hour."""

from datetime import datetime
from typing import Final

from workers.gateways.database import Pool

# What Stripe showed late counts from when it was; a sandbox's clock may be ahead.
NOTE: Final = """
    INSERT INTO payments.card_declines (charge, card, declined_at)
    SELECT $1, $2, least(coalesce($3, clock_timestamp()), clock_timestamp())
    WHERE coalesce($3, clock_timestamp()) > clock_timestamp() - interval '1 hour'
    ON CONFLICT (charge) DO NOTHING
"""
HELD: Final = """
    SELECT card FROM payments.card_declines
    WHERE declined_at > clock_timestamp() - interval '1 hour'
    GROUP BY card HAVING count(*) >= $1
"""
FORGET: Final = """
    DELETE FROM payments.card_declines WHERE declined_at <= clock_timestamp() - interval '1 hour'
"""


async def note(pool: Pool, charge: str, card: bytes, at: datetime | None) -> None:
    """Keep that a charge on a card was declined, once; None: now."""
    await pool.execute(NOTE, charge, card, at)


async def held(pool: Pool, declines: int) -> frozenset[bytes]:
    """The cards with so many declines in the last hour, or more."""
    return frozenset(row["card"] for row in await pool.fetch(HELD, declines))


async def forget(pool: Pool) -> None:
    """Delete what is older than an hour."""
    await pool.execute(FORGET)
