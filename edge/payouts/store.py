"""Payouts, their items and their settings in PostgreSQL."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from asyncpg import Record

from topics.outbox import AnyConnection

_PAYOUT: Final = """
    SELECT id, account, status, amount_minor, fee_minor, currency, automatic, created_at,
        arrival_date, failure_code, balance_transaction, rule, waiting_since, waiting_for
    FROM read.payouts WHERE organization = $1
"""
PAYOUT: Final = _PAYOUT + "AND id = $2"
PAYOUTS: Final = (
    _PAYOUT
    + """
    AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3))
    ORDER BY created_at DESC, id DESC LIMIT $4
"""
)
_ITEMS: Final = """
    SELECT i.balance_transaction, i.category, i.source, m.donation, m.entry, i.fund,
        coalesce(m.occurred_at, f.occurred_at, 'epoch') AS occurred_at,
        CASE WHEN i.amount_minor = m.net_minor THEN m.amount_minor ELSE i.amount_minor END
            AS gross_minor,
        CASE WHEN i.amount_minor = m.net_minor THEN m.fee_minor ELSE 0 END AS fee_minor,
        i.amount_minor AS net_minor,
        i.amount_minor <> coalesce(m.net_minor, f.net_minor, i.amount_minor) AS is_part
    FROM read.payout_items AS i
    LEFT JOIN read.movements AS m ON m.balance_transaction = i.balance_transaction
        AND m.fund = i.fund AND m.organization = i.organization
    LEFT JOIN read.foreign_movements AS f ON f.balance_transaction = i.balance_transaction
        AND i.fund = '' AND f.organization = i.organization
    WHERE i.organization = $1 AND i.payout = $2
"""
ITEMS: Final = f"""
    SELECT * FROM ({_ITEMS}) AS items
    WHERE $3::timestamptz IS NULL OR (occurred_at, balance_transaction, fund) > ($3, $4, $5)
    ORDER BY occurred_at, balance_transaction, fund LIMIT $6
"""  # noqa: S608 - a constant of this module
TOTALS: Final = f"""
    SELECT category, fund, count(*) AS items, sum(gross_minor)::bigint AS gross_minor,
        sum(fee_minor)::bigint AS fee_minor, sum(net_minor)::bigint AS net_minor
    FROM ({_ITEMS}) AS items GROUP BY category, fund ORDER BY category, fund
"""  # noqa: S608 - a constant of this module
SETTINGS: Final = """
    SELECT paid_by, interval, weekday, month_day, minimum_minor, under_review
    FROM edge.payout_settings WHERE organization = $1
"""
SET_SETTINGS: Final = """
    INSERT INTO edge.payout_settings (organization, paid_by, interval, weekday, month_day,
        minimum_minor, under_review, changed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, now())
    ON CONFLICT (organization) DO UPDATE
    SET paid_by = excluded.paid_by, interval = excluded.interval, weekday = excluded.weekday,
        month_day = excluded.month_day, minimum_minor = excluded.minimum_minor,
        under_review = excluded.under_review, changed_at = excluded.changed_at
"""
# Two changes at once are made one after the other.
LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('payout_settings/' || $1, 0))"
STANDING: Final = """
    SELECT s.account, s.currency, s.reason AS state, s.since, t.done_on,
        coalesce(t.remainder, 0) AS remainder
    FROM (
        SELECT DISTINCT ON (account, currency) account, currency, reason, since
        FROM read.payout_states WHERE organization = $1
        ORDER BY account, currency, position DESC
    ) AS s
    LEFT JOIN read.payout_turns AS t
        ON t.account = s.account AND t.currency = s.currency AND t.organization = $1
    ORDER BY s.account, s.currency
"""


async def payout(connection: AnyConnection, organization: str, identifier: str) -> Record | None:
    """One payout."""
    return await connection.fetchrow(PAYOUT, organization, identifier)


async def payouts(
    connection: AnyConnection, organization: str, after: tuple[datetime, str] | None, most: int
) -> list[Record]:
    """Payouts, newest first, that are older than `after`."""
    created_at, identifier = after or (None, None)
    return await connection.fetch(PAYOUTS, organization, created_at, identifier, most)


async def items(
    connection: AnyConnection,
    organization: str,
    identifier: str,
    after: tuple[datetime, str, str] | None,
    most: int,
) -> list[Record]:
    """What a payout carries, oldest first, from behind `after` on."""
    return await connection.fetch(
        ITEMS, organization, identifier, *(after or (None, None, None)), most
    )


async def totals(connection: AnyConnection, organization: str, identifier: str) -> list[Record]:
    """The sums of what a payout carries, by category and fund."""
    return await connection.fetch(TOTALS, organization, identifier)


async def settings(connection: AnyConnection, organization: str) -> Record | None:
    """What the organization wants, if it ever said so."""
    return await connection.fetchrow(SETTINGS, organization)


async def lock_settings(connection: AnyConnection, organization: str) -> None:
    """Wait for whoever changes them at this moment."""
    await connection.execute(LOCK, organization)


async def set_settings(
    connection: AnyConnection, organization: str, wanted: Mapping[str, Any]
) -> None:
    """Keep what the organization wants."""
    await connection.execute(
        SET_SETTINGS,
        organization,
        wanted["paid_by"],
        wanted["interval"],
        wanted["weekday"],
        wanted["month_day"],
        wanted["minimum_minor"],
        wanted["under_review"],
    )


async def standing(connection: AnyConnection, organization: str) -> list[Record]:
    """Where Amply's own payouts stand, by account and currency."""
    return await connection.fetch(STANDING, organization)
