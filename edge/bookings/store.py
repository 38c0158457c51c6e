"""Bookings in PostgreSQL, and what became of them in the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

import orjson

from edge.bookings.decisions import Outflow
from edge.database.rows import Row, many, one
from topics.outbox import AnyConnection

#: Bookings of an organization are made one after the other, so that each sees the one before.
LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('bookings/' || $1, 0))"
FUNDS: Final = """
    SELECT id, currency, visibility, is_active FROM edge.funds
    WHERE organization = $1 AND id = ANY($2::text[])
"""
INSERT: Final = """
    INSERT INTO edge.bookings (organization, environment, idempotency_key, fingerprint, id, kind,
        fund, amount_minor, currency, terms, entries, outflows, transfer, recipient, corrects,
        created_by, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
"""
COLUMNS: Final = (
    *("organization", "environment", "idempotency_key", "fingerprint", "id", "kind", "fund"),
    *("amount_minor", "currency", "terms", "entries", "outflows", "transfer", "recipient"),
    *("corrects", "created_by", "created_at"),
)
_BOOKING: Final = """
    SELECT b.id, b.organization, b.kind, b.fund, b.amount_minor, b.currency,
        b.terms::text AS terms, b.entries, b.transfer, b.recipient, b.corrects, b.created_at,
        (SELECT c.id FROM edge.bookings AS c
            WHERE c.corrects = b.id AND c.organization = b.organization) AS corrected_by,
        (SELECT count(*) FROM read.entries AS e WHERE e.id = ANY(b.entries)) AS recorded,
        (SELECT json_build_object('code', r.code, 'reason', r.reason)
            FROM read.refused_entries AS r
            WHERE r.entry_id = ANY(b.entries) AND r.organization = b.organization
                AND NOT EXISTS (SELECT FROM read.entries AS e WHERE e.id = r.entry_id)
            LIMIT 1)::text AS refusal
    FROM edge.bookings AS b WHERE b.organization = $1
"""
BOOKING: Final = _BOOKING + " AND b.id = $2"
BOOKINGS: Final = (
    _BOOKING
    + """
    AND ($2::timestamptz IS NULL OR (b.created_at, b.id) > ($2, $3))
    AND ($4::text IS NULL OR b.kind = $4) AND ($5::text IS NULL OR b.fund = $5)
    ORDER BY b.created_at, b.id LIMIT $6
"""
)
#: Offered to the organization, whoever offers it.
OFFERED: Final = """
    SELECT id, organization, fund, amount_minor, currency, terms::text AS terms, entries, transfer
    FROM edge.bookings WHERE transfer = $1 AND kind = 'transfer_out' AND recipient = $2
        AND (cardinality(entries) > 0 OR NOT is_settled)
"""
WITHDRAW: Final = "UPDATE edge.bookings SET is_settled = true WHERE organization = $1 AND id = $2"
TAKEN: Final = "UPDATE edge.bookings SET entries = $3 WHERE organization = $1 AND id = $2"
SETTLE: Final = """
    UPDATE edge.bookings AS b SET is_settled = true
    WHERE b.organization = $1 AND NOT b.is_settled AND cardinality(b.entries) > 0
        AND NOT EXISTS (
            SELECT FROM unnest(b.entries) AS name
            WHERE NOT EXISTS (SELECT FROM read.entries AS e WHERE e.id = name)
                AND NOT EXISTS (SELECT FROM read.refused_entries AS r
                    WHERE r.entry_id = name AND r.organization = b.organization))
"""
# In one statement, so that a booking is either in the balance or among those on their way.
AVAILABLE: Final = """
    SELECT coalesce((
            SELECT amount FROM read.balances
            WHERE organization = $1 AND fund = $2 AND account = $3 AND currency = $4), 0)::bigint
        - coalesce((
            SELECT sum(o.minor)
            FROM edge.bookings AS b,
                jsonb_to_recordset(b.outflows) AS o (fund text, account text, minor bigint)
            WHERE b.organization = $1 AND NOT b.is_settled AND o.fund = $2 AND o.account = $3
                AND (cardinality(b.entries) = 0 OR cardinality(b.entries) > (
                    SELECT count(*) FROM read.entries AS e WHERE e.id = ANY(b.entries)))
                AND NOT EXISTS (SELECT FROM read.refused_entries AS r
                    WHERE r.entry_id = ANY(b.entries) AND r.organization = b.organization)
        ), 0)::bigint
"""
ENTRY: Final = "SELECT id, bytes FROM read.entries WHERE organization = $1 AND id = $2"
OPENINGS: Final = """
    SELECT section, plain FROM read.openings
    WHERE organization = $1 AND entry_id = $2 AND section IN ('money', 'details')
"""


async def lock(connection: AnyConnection, organizations: Sequence[str]) -> None:
    """Wait for other bookings of these organizations that are under way."""
    for organization in sorted(set(organizations)):
        await connection.execute(LOCK, organization)


async def funds(connection: AnyConnection, organization: str, names: Sequence[str]) -> list[Row]:
    """Those of these funds that are the organization's."""
    return await many(connection, FUNDS, organization, list(names))


async def insert(connection: AnyConnection, row: Mapping[str, Any]) -> None:
    """A new booking: COLUMNS."""
    await connection.execute(INSERT, *(row[name] for name in COLUMNS))


def spell_outflows(outflows: Sequence[Outflow]) -> str:
    """As the column holds them."""
    return orjson.dumps([asdict(each) for each in outflows]).decode()


async def booking(connection: AnyConnection, organization: str, identifier: str) -> Row | None:
    """One booking, with what became of it."""
    return await one(connection, BOOKING, organization, identifier)


async def bookings(
    connection: AnyConnection,
    organization: str,
    after: tuple[datetime | None, str | None],
    filters: Mapping[str, str],
    most: int,
) -> list[Row]:
    """Bookings, oldest first, behind `after`."""
    return await many(
        connection,
        *(BOOKINGS, organization, *after, filters.get("kind"), filters.get("fund"), most),
    )


async def offered(connection: AnyConnection, transfer: str, recipient: str) -> Row | None:
    """The transfer of this id that is meant for the organization."""
    return await one(connection, OFFERED, transfer, recipient)


async def set_taken(
    connection: AnyConnection, organization: str, identifier: str, entries: Sequence[str]
) -> None:
    """The giver's booking has its entry now."""
    await connection.execute(TAKEN, organization, identifier, list(entries))


async def withdraw(connection: AnyConnection, organization: str, identifier: str) -> None:
    """A transfer that nobody took is offered no more, and holds no money back."""
    await connection.execute(WITHDRAW, organization, identifier)


async def available_minor(
    connection: AnyConnection, organization: str, place: tuple[str, str], currency: str
) -> int:
    """What an account of a fund holds, less what bookings on their way will take from it."""
    fund, account = place
    amount: int = await connection.fetchval(AVAILABLE, organization, fund, account, currency)
    return amount


async def settle(connection: AnyConnection, organization: str) -> None:
    """Note which bookings the ledger has answered, so that they are looked at no more."""
    await connection.execute(SETTLE, organization)


async def entry(
    connection: AnyConnection, organization: str, identifier: str
) -> tuple[bytes, dict[str, bytes]] | None:
    """An entry's text, and the openings of its money and details by section."""
    row = await one(connection, ENTRY, organization, identifier)
    if row is None:
        return None
    openings = await many(connection, OPENINGS, organization, identifier)
    return row["bytes"], {each["section"]: each["plain"] for each in openings}
