"""What Amply's own payouts rest on: settings, accounts, turns, attempts, states, schedules."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from topics.outbox import AnyConnection
from workers.gateways.database import Pool
from workers.payouts.schedule import Account, Attempt, Settings, State

SETTINGS: Final = """
    SELECT organization, paid_by, interval, weekday, month_day, minimum_minor, under_review
    FROM read.payout_settings ORDER BY organization
"""
ACCOUNTS: Final = """
    SELECT account, authorized, payouts_enabled, disabled_reason, in_review, bank_account,
        bank_status, stage = 'retired' AS is_retired
    FROM read.accounts WHERE organization = $1 AND stage <> 'onboarding'
    ORDER BY is_current DESC, created_at, account
"""
# One process works for an organization at a time; whoever comes second leaves it to the first.
TRY_LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended('payouts.job/' || $1, 0))"
SCHEDULE: Final = """
    SELECT schedule FROM payouts.schedules WHERE account = $1 AND organization = $2
"""
SET_SCHEDULE: Final = """
    INSERT INTO payouts.schedules (account, organization, schedule, set_at)
    VALUES ($1, $2, $3, now())
    ON CONFLICT (account, organization) DO UPDATE
    SET schedule = excluded.schedule, set_at = excluded.set_at
"""
BALANCES: Final = """
    SELECT currency, sum(net_minor)::bigint AS net_minor FROM (
        SELECT currency, net_minor FROM read.movements WHERE organization = $1 AND account = $2
        UNION ALL
        SELECT currency, net_minor FROM payouts.foreign_movements
        WHERE organization = $1 AND account = $2
    ) AS m GROUP BY currency ORDER BY currency
"""
# What is at rest on a retired account stays as it is.
TURNS: Final = """
    SELECT c.currency, t.done_on, s.reason
    FROM (
        SELECT currency FROM read.movements AS m WHERE organization = $1 AND account = $2
        GROUP BY currency
        HAVING NOT $3::boolean OR sum(net_minor) <> 0 OR EXISTS (
            SELECT FROM payouts.attempts AS a
            WHERE a.organization = $1 AND a.account = $2 AND a.currency = m.currency
                AND a.state = 'calling')
    ) AS c
    LEFT JOIN payouts.turns AS t
        ON t.organization = $1 AND t.account = $2 AND t.currency = c.currency
    LEFT JOIN LATERAL (
        SELECT reason FROM payouts.states AS s
        WHERE s.organization = $1 AND s.account = $2 AND s.currency = c.currency
        ORDER BY position DESC LIMIT 1
    ) AS s ON true
    ORDER BY c.currency
"""
LAST_ATTEMPT: Final = """
    SELECT a.due_on, a.attempt, a.amount_minor, a.state, a.bank_account, a.ended_at,
        coalesce(p.status IN ('failed', 'canceled'), false) AS has_failed
    FROM payouts.attempts AS a
    LEFT JOIN payouts.payouts AS p ON p.id = a.payout AND p.organization = a.organization
    WHERE a.organization = $1 AND a.account = $2 AND a.currency = $3
    ORDER BY a.due_on DESC, a.attempt DESC LIMIT 1
"""
OPEN_ATTEMPT: Final = """
    INSERT INTO payouts.attempts
        (organization, account, currency, due_on, attempt, amount_minor, bank_account, started_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
CREATED: Final = """
    UPDATE payouts.attempts SET state = 'created', payout = $6, ended_at = $7
    WHERE organization = $1 AND account = $2 AND currency = $3 AND due_on = $4 AND attempt = $5
"""
REFUSED: Final = """
    UPDATE payouts.attempts SET state = 'refused', code = $6, ended_at = $7
    WHERE organization = $1 AND account = $2 AND currency = $3 AND due_on = $4 AND attempt = $5
"""
FAILED: Final = """
    UPDATE payouts.attempts SET state = 'failed', ended_at = $6
    WHERE organization = $1 AND account = $2 AND currency = $3 AND due_on = $4 AND attempt = $5
"""
DONE: Final = """
    INSERT INTO payouts.turns AS t (organization, account, currency, done_on, remainder)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (account, currency, organization) DO UPDATE
    SET done_on = greatest(t.done_on, excluded.done_on), remainder = excluded.remainder
"""
CHANGE_STATE: Final = """
    INSERT INTO payouts.states (organization, account, currency, reason, since)
    VALUES ($1, $2, $3, $4, $5)
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A currency of an account of an organization: what has one schedule."""

    organization: str
    account: str
    currency: str


@dataclass(frozen=True, slots=True)
class Turn:
    """How far the schedule came there, and what holds; None before anything was tried."""

    place: Place
    done_on: date | None
    state: State | None


async def wanted(pool: Pool) -> list[tuple[str, Settings]]:
    """What organizations want that said so; the others have Stripe's own schedule."""
    found = []
    for row in await pool.fetch(SETTINGS):
        values = dict(row)
        organization: str = values.pop("organization")
        found.append((organization, Settings(**values)))
    return found


async def accounts_of(connection: AnyConnection, organization: str) -> list[Account]:
    """The organization's current account, and those before it."""
    rows = await connection.fetch(ACCOUNTS, organization)
    return [Account(**{**row, "in_review": tuple(row["in_review"] or ())}) for row in rows]


async def try_lock(connection: AnyConnection, organization: str) -> bool:
    """Whether the organization is ours until the transaction ends."""
    return bool(await connection.fetchval(TRY_LOCK, organization))


async def schedule_of(
    connection: AnyConnection, organization: str, account: str
) -> dict[str, Any] | None:
    """The schedule that Amply gave the account at Stripe, if it did."""
    known = await connection.fetchval(SCHEDULE, account, organization)
    return None if known is None else dict(json.loads(known))


async def keep_schedule(
    connection: AnyConnection, organization: str, account: str, schedule: Mapping[str, Any]
) -> None:
    """Keep which schedule the account has at Stripe."""
    await connection.execute(SET_SCHEDULE, account, organization, json.dumps(dict(schedule)))


async def turns(connection: AnyConnection, organization: str, account: Account) -> list[Turn]:
    """One turn for each currency of which money moved there, of a retired account: is left."""
    name = account.account
    rows = await connection.fetch(TURNS, organization, name, account.is_retired)
    return [
        Turn(Place(organization, name, row["currency"]), row["done_on"], row["reason"])
        for row in rows
    ]


async def balance(connection: AnyConnection, place: Place) -> int:
    """What all movements known leave there, in minor units."""
    rows = await connection.fetch(BALANCES, place.organization, place.account)
    return next((row["net_minor"] for row in rows if row["currency"] == place.currency), 0)


async def last_attempt(connection: AnyConnection, place: Place) -> Attempt | None:
    """The newest attempt there."""
    row = await connection.fetchrow(LAST_ATTEMPT, place.organization, place.account, place.currency)
    return None if row is None else Attempt(**row)


async def open_attempt(
    connection: AnyConnection,
    place: Place,
    due_on: date,
    attempt: int,
    amount_minor: int,
    bank_account: str | None,
    now: datetime,
) -> Attempt:
    """Note that Stripe is about to be called."""
    await connection.execute(
        OPEN_ATTEMPT,
        place.organization,
        place.account,
        place.currency,
        due_on,
        attempt,
        amount_minor,
        bank_account,
        now,
    )
    return Attempt(due_on, attempt, amount_minor, "calling", bank_account, False, None)


async def close_attempt(
    connection: AnyConnection,
    place: Place,
    attempt: Attempt,
    now: datetime,
    *,
    payout: str | None = None,
    code: str | None = None,
) -> None:
    """Note how the call ended: with a payout, with Stripe's refusal, or that the payout failed."""
    name = (
        *(place.organization, place.account, place.currency),
        *(attempt.due_on, attempt.attempt),
    )
    if payout is not None:
        await connection.execute(CREATED, *name, payout, now)
    elif code is not None:
        await connection.execute(REFUSED, *name, code, now)
    else:
        await connection.execute(FAILED, *name, now)


async def finish_turn(
    connection: AnyConnection, place: Place, done_on: date, remainder: int
) -> None:
    """The schedule's day is done; `remainder` (of Stripe's integers) waits for the next one."""
    await connection.execute(
        DONE, place.organization, place.account, place.currency, done_on, remainder
    )


async def change_state(
    connection: AnyConnection, place: Place, state: State, now: datetime
) -> None:
    """Keep what holds from now on: the caller knows that it is news."""
    await connection.execute(
        CHANGE_STATE, place.organization, place.account, place.currency, state, now
    )
