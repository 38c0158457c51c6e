"""Payments in PostgreSQL: attempts, client secrets, ignored events."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from contracts.donations import DonationRequested
from contracts.message import Envelope
from contracts.stripe_events import StripeEventReceived
from topics.outbox import AnyConnection
from workers.gateways.database import Pool, tenant
from workers.payments.decisions import (
    Attempt,
    Elsewhere,
    Ignored,
    State,
)

# Rows are found by LATERAL subqueries that the planner cannot merge: until a table has statistics,
# and in a cached plan long after, it would rather read all rows of an organization.

# The second branch sees the table as it was before the insert: exactly one of the two has a row.
OPEN: Final = """
    WITH asked AS (
        SELECT DISTINCT ON (organization, donation) *
        FROM unnest($1::text[], $2::text[], $3::bytea[], $4::boolean[])
            AS a (organization, donation, request, on_client)
        ORDER BY organization, donation
    ), owners AS (
        SELECT organization AS id, account, is_current,
            authorized AND charges_enabled AND NOT is_frozen AS usable
        FROM read.accounts WHERE organization = ANY ($1)
    ), opened AS (
        INSERT INTO payments.attempts
            (organization, donation, account, request, on_client, expires_at)
        SELECT a.organization, a.donation, o.account, a.request, a.on_client,
            coalesce($5::timestamptz, (SELECT now FROM read.business_clock)) + $6::interval
        FROM asked AS a LEFT JOIN owners AS o ON o.id = a.organization AND o.is_current
        ORDER BY a.organization, a.donation
        ON CONFLICT (organization, donation) DO NOTHING
        RETURNING organization, donation, state, attempt, account, turn
    ), stored AS (
        SELECT *, false AS begun_before FROM opened
        UNION ALL
        SELECT a.organization, a.donation, s.state, s.attempt, s.account, s.turn, true
        FROM asked AS a CROSS JOIN LATERAL (
            SELECT * FROM payments.attempts AS s
            WHERE s.organization = a.organization AND s.donation = a.donation OFFSET 0
        ) AS s
    )
    SELECT s.organization, s.donation, s.state::text, s.attempt, s.account, s.turn,
        coalesce(o.usable, false) AS usable, s.begun_before
    FROM stored AS s LEFT JOIN owners AS o ON o.id = s.organization AND o.account = s.account
"""
BY_OBJECT: Final = """
    WITH asked AS (
        SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) AS a (organization, object)
    )
    SELECT q.organization, q.object, s.state::text, s.account, s.payment_intent, s.request,
        s.on_client, s.fund
    FROM asked AS q CROSS JOIN LATERAL (
        SELECT * FROM payments.attempts AS s
        WHERE s.organization = q.organization AND s.payment_intent = q.object OFFSET 0
    ) AS s
    UNION ALL
    SELECT q.organization, q.object, s.state::text, s.account, s.payment_intent, s.request,
        s.on_client, s.fund
    FROM asked AS q CROSS JOIN LATERAL (
        SELECT * FROM payments.attempts AS s
        WHERE s.organization = q.organization AND s.charge = q.object OFFSET 0
    ) AS s
"""
BY_DONATION: Final = """
    SELECT state::text, account, payment_intent, request, on_client, fund
    FROM payments.attempts
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

# Locked in one order, so that two batches with the same gifts wait for one another. What the answer
# to a call says is about the attempt of its turn. What an event shows may be of an attempt before:
# while a new one is being made, only its own answer says that it failed.
_ORDER: Final = (
    "'{calling,requires_action,processing,failed,closed,captured}'::text[]::payments.state[]"
)
ADVANCE: Final = f"""
    WITH moves AS (
        SELECT DISTINCT ON (organization, donation) *
        FROM unnest($1::text[], $2::text[], $3::text[]::payments.state[], $4::text[], $5::uuid[],
            $6::boolean[])
            AS m (organization, donation, state, payment_intent, turn, observed)
        ORDER BY organization, donation, array_position({_ORDER}, state) DESC
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
        AND array_position({_ORDER}, a.state) < array_position({_ORDER}, m.state)
        AND CASE WHEN m.observed
            THEN a.turn IS NULL OR a.state <> 'calling' OR m.state <> 'failed'
            ELSE a.turn IS NOT DISTINCT FROM m.turn END
    RETURNING a.donation, a.state::text, a.attempt
"""  # noqa: S608 - the order is this module's constant
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
class Expiry:
    """How long a gift may stay unpaid; `now` None: by the sandbox's business clock."""

    after: timedelta
    now: Callable[[], datetime | None]


@dataclass(frozen=True, slots=True)
class Opened:
    """An attempt that is about to call Stripe, and the account to call for.

    `usable`: that account may be charged, as far as we know. `begun_before`: an earlier delivery
    may have called Stripe. `tried_again`: a later message began another attempt.
    """

    state: State
    attempt: int
    account: str | None
    usable: bool
    begun_before: bool
    tried_again: bool = False


async def open_attempts(
    pool: Pool,
    expiry: Expiry,
    messages: Sequence[Envelope[DonationRequested]],
) -> list[Opened | None]:
    """Note, in a transaction of its own, that Stripe is about to be called for these gifts.

    None for a gift that another process is opening at this moment.
    """
    organizations = [message.organization for message in messages]
    donations = [message.body.donation for message in messages]
    requests = [message.body.model_dump_json().encode() for message in messages]
    on_client = [message.body.payment_method is None for message in messages]
    async with tenant(pool, *organizations) as connection:
        rows = await connection.fetch(
            *(OPEN, organizations, donations, requests, on_client),
            *(expiry.now(), expiry.after),
        )
    opened = {
        (row["organization"], row["donation"]): Opened(
            *(row["state"], row["attempt"], row["account"], row["usable"]),
            begun_before=row["begun_before"],
            tried_again=row["turn"] is not None,
        )
        for row in rows
    }
    return [opened.get(key) for key in zip(organizations, donations, strict=True)]


async def unresolved_since(pool: Pool, organization: str, donation: str, now: datetime) -> datetime:
    """Since when Stripe is known to answer the key in use with its own failure; `now` if new."""
    async with tenant(pool, organization) as connection:
        since: datetime = await connection.fetchval(UNRESOLVED, organization, donation, now)
    return since


async def take_next_key(pool: Pool, organization: str, donation: str, attempt: int) -> None:
    """Leave the idempotency key of this attempt behind."""
    async with tenant(pool, organization) as connection:
        await connection.execute(NEXT_KEY, organization, donation, attempt)


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


def gift_of(row: Any) -> DonationRequested:
    """The gift of an attempt's row, with the fund that holds its money once that is known."""
    request = DonationRequested.model_validate_json(row["request"], extra="ignore")
    if row["fund"] not in (None, request.fund):
        request = request.model_copy(update={"fund": row["fund"]})
    return request


def _attempt(row: Any) -> Attempt:
    known = (row["state"], row["account"], row["payment_intent"])
    return Attempt(*known, gift_of(row), row["on_client"])


class Move(NamedTuple):
    """How far an attempt came, by the answer to the call of `turn`, or as an event showed it."""

    organization: str
    donation: str
    state: State
    payment_intent: str | None
    turn: UUID | None = None
    observed: bool = False


async def advance(connection: AnyConnection, moves: Sequence[Move]) -> dict[tuple[str, State], int]:
    """Move attempts forward; those that moved: donation and new state to the attempt's number."""
    if not moves:
        return {}
    columns = [list(column) for column in zip(*moves, strict=True)]
    rows = await connection.fetch(ADVANCE, *columns)
    return {(row["donation"], row["state"]): row["attempt"] for row in rows}


async def keep_secrets(
    connection: AnyConnection, secrets: Sequence[tuple[str, str, bytes]]
) -> None:
    """Keep encrypted client secrets: organization, donation, ciphertext."""
    if secrets:
        columns = [list(column) for column in zip(*secrets, strict=True)]
        await connection.execute(SECRETS, *columns)


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
