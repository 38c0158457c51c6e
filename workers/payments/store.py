"""Payments in PostgreSQL: attempts, client secrets, ignored events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from contracts.donations import DonationRequested
from contracts.message import Envelope
from contracts.stripe_events import StripeEventReceived
from topics.outbox import AnyConnection
from workers.gateways.database import Pool, tenant
from workers.payments.decisions import (
    Attempt,
    Elsewhere,
    Ignored,
    Progress,
    State,
)

# Rows are found by LATERAL subqueries that the planner cannot merge: until a table has statistics,
# and in a cached plan long after, it would rather read all rows of an organization.

# The second branch sees the table as it was before the insert: exactly one of the two has a row.
OPEN: Final = """
    WITH asked AS (
        SELECT DISTINCT ON (organization, donation) *
        FROM unnest($1::text[], $2::text[], $3::bytea[]) AS a (organization, donation, request)
        ORDER BY organization, donation
    ), owners AS (
        SELECT organization AS id, account, authorized AND charges_enabled AS usable
        FROM read.accounts WHERE organization = ANY ($1) AND is_current
    ), opened AS (
        INSERT INTO payments.attempts (organization, donation, account, request)
        SELECT a.organization, a.donation, o.account, a.request
        FROM asked AS a LEFT JOIN owners AS o ON o.id = a.organization
        ORDER BY a.organization, a.donation
        ON CONFLICT (organization, donation) DO NOTHING
        RETURNING organization, donation, state, attempt, account
    ), stored AS (
        SELECT * FROM opened
        UNION ALL
        SELECT a.organization, a.donation, s.state, s.attempt, s.account
        FROM asked AS a CROSS JOIN LATERAL (
            SELECT * FROM payments.attempts AS s
            WHERE s.organization = a.organization AND s.donation = a.donation OFFSET 0
        ) AS s
    )
    SELECT s.organization, s.donation, s.state::text, s.attempt, s.account,
        coalesce(o.usable, false) AS usable
    FROM stored AS s LEFT JOIN owners AS o ON o.id = s.organization
"""
BY_OBJECT: Final = """
    WITH asked AS (
        SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) AS a (organization, object)
    )
    SELECT q.organization, q.object, s.state::text, s.account, s.payment_intent, s.request
    FROM asked AS q CROSS JOIN LATERAL (
        SELECT * FROM payments.attempts AS s
        WHERE s.organization = q.organization AND s.payment_intent = q.object OFFSET 0
    ) AS s
    UNION ALL
    SELECT q.organization, q.object, s.state::text, s.account, s.payment_intent, s.request
    FROM asked AS q CROSS JOIN LATERAL (
        SELECT * FROM payments.attempts AS s
        WHERE s.organization = q.organization AND s.charge = q.object OFFSET 0
    ) AS s
"""
BY_DONATION: Final = """
    SELECT state::text, account, payment_intent, request FROM payments.attempts
    WHERE organization = $1 AND donation = $2
"""
UNRESOLVED: Final = """
    UPDATE payments.attempts SET unresolved_since = coalesce(unresolved_since, $3)
    WHERE organization = $1 AND donation = $2
    RETURNING unresolved_since
"""
NEXT_KEY: Final = """
    UPDATE payments.attempts SET attempt = attempt + 1, unresolved_since = NULL
    WHERE organization = $1 AND donation = $2 AND attempt = $3
"""
KNOWN: Final = "SELECT payments.is_known($1)"

# Locked in one order, so that two batches with the same gifts wait for one another.
ADVANCE: Final = """
    WITH moves AS (
        SELECT DISTINCT ON (organization, donation) *
        FROM unnest($1::text[], $2::text[], $3::text[]::payments.state[], $4::text[])
            AS m (organization, donation, state, payment_intent)
        ORDER BY organization, donation, state DESC
    ), locked AS (
        SELECT found.* FROM moves AS m CROSS JOIN LATERAL (
            SELECT a.organization, a.donation FROM payments.attempts AS a
            WHERE a.organization = m.organization AND a.donation = m.donation FOR UPDATE
        ) AS found
    )
    UPDATE payments.attempts AS a
    SET state = m.state, payment_intent = coalesce(a.payment_intent, m.payment_intent)
    FROM moves AS m JOIN locked USING (organization, donation)
    WHERE a.organization = m.organization AND a.donation = m.donation
        AND a.state < m.state
    RETURNING a.donation
"""
SECRETS: Final = """
    INSERT INTO payments.client_secrets (organization, donation, ciphertext)
    SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[])
    ON CONFLICT (organization, donation) DO UPDATE SET ciphertext = excluded.ciphertext
"""
IGNORE: Final = """
    INSERT INTO payments.ignored_events (event, event_type, organization, account, object, reason)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
    ON CONFLICT (event) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Opened:
    """An attempt that is about to call Stripe, and the account to call for."""

    state: State
    attempt: int
    account: str | None
    usable: bool


async def open_attempts(
    pool: Pool, messages: Sequence[Envelope[DonationRequested]]
) -> list[Opened | None]:
    """Note, in a transaction of its own, that Stripe is about to be called for these gifts.

    None for a gift that another process is opening at this moment.
    """
    organizations = [message.organization for message in messages]
    donations = [message.body.donation for message in messages]
    requests = [message.body.model_dump_json().encode() for message in messages]
    async with tenant(pool, *organizations) as connection:
        rows = await connection.fetch(OPEN, organizations, donations, requests)
    opened = {
        (row["organization"], row["donation"]): Opened(
            row["state"], row["attempt"], row["account"], row["usable"]
        )
        for row in rows
    }
    return [opened.get(key) for key in zip(organizations, donations, strict=True)]


async def unresolved_since(
    pool: Pool, message: Envelope[DonationRequested], now: datetime
) -> datetime:
    """Since when Stripe is known to answer the key in use with its own failure; `now` if new."""
    async with tenant(pool, message.organization) as connection:
        since: datetime = await connection.fetchval(
            UNRESOLVED, message.organization, message.body.donation, now
        )
    return since


async def take_next_key(pool: Pool, message: Envelope[DonationRequested], attempt: int) -> None:
    """Leave the idempotency key of this attempt behind."""
    async with tenant(pool, message.organization) as connection:
        await connection.execute(NEXT_KEY, message.organization, message.body.donation, attempt)


async def attempts_of_objects(pool: Pool, asked: Sequence[tuple[str, str]]) -> list[Attempt | None]:
    """The attempts that hold these payment intents or charges (organization, object)."""
    organizations = [organization for organization, _ in asked]
    async with tenant(pool, *organizations) as connection:
        rows = await connection.fetch(BY_OBJECT, organizations, [found for _, found in asked])
    attempts = {(row["organization"], row["object"]): _attempt(row) for row in rows}
    return [attempts.get(key) for key in asked]


async def attempt_of_donation(
    pool: Pool, organization: str, donation: str
) -> Attempt | Elsewhere | None:
    """The attempt for this gift; None when nobody was promised it."""
    async with tenant(pool, organization) as connection:
        row = await connection.fetchrow(BY_DONATION, organization, donation)
        if row is None and await connection.fetchval(KNOWN, donation):
            return Elsewhere()
    return _attempt(row) if row is not None else None


def _attempt(row: Any) -> Attempt:
    request = DonationRequested.model_validate_json(row["request"], extra="ignore")
    return Attempt(row["state"], row["account"], row["payment_intent"], request)


Move = tuple[str, str, State, str | None]


async def advance(connection: AnyConnection, moves: Sequence[Move]) -> set[str]:
    """Move attempts (organization, donation, state, intent) forward; the donations that moved."""
    if not moves:
        return set()
    columns = [list(column) for column in zip(*moves, strict=True)]
    return {row["donation"] for row in await connection.fetch(ADVANCE, *columns)}


async def keep_secrets(
    connection: AnyConnection, news: Sequence[tuple[Envelope[DonationRequested], Progress]]
) -> None:
    """Keep the encrypted client secrets among what Stripe answered."""
    rows = [
        (message.organization, message.body.donation, progress.client_secret)
        for message, progress in news
        if progress.client_secret is not None
    ]
    if rows:
        await connection.execute(SECRETS, *[list(column) for column in zip(*rows, strict=True)])


async def ignore(
    connection: AnyConnection, ignored: Sequence[tuple[Envelope[StripeEventReceived], Ignored]]
) -> None:
    """Keep which events moved nothing, and why."""
    events = [(message.body, message.organization, verdict.reason) for message, verdict in ignored]
    rows = [
        (event.event, event.event_type, organization, event.account, event.object, reason)
        for event, organization, reason in events
    ]
    if rows:
        await connection.execute(IGNORE, *[list(column) for column in zip(*rows, strict=True)])
