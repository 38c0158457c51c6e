"""Accounts in PostgreSQL: how each one is, which is current, what came of requests."""

from dataclasses import asdict
from datetime import datetime
from typing import Final

import orjson

from contracts.accounts import AccountRequested
from contracts.message import Envelope
from topics.outbox import AnyConnection
from workers.accounts.decisions import (
    Creation,
    Done,
    Known,
    Looked,
    Outcome,
    Refusal,
    RefusalCode,
)
from workers.gateways.database import Pool, tenant
from workers.gateways.stripe_objects import AccessRevoked

NOW: Final = "SELECT clock_timestamp()"
# A look may end after one that began later. Every change at Stripe is followed by an event, whose
# look begins after the change: the one that began last saw it. "changed_at" tells the edge.
KEEP: Final = """
    WITH seen AS (
        SELECT $3::timestamptz AS looked_at, true AS authorized, s.*
        FROM jsonb_to_record($4::jsonb) AS s (charges_enabled boolean, payouts_enabled boolean,
            details_submitted boolean, disabled_reason text, due text[], due_by timestamptz,
            in_review text[], country text, default_currency text, bank_account text,
            bank_status text)
    )
    UPDATE accounts.accounts AS a
    SET looked_at = s.looked_at, authorized = s.authorized, charges_enabled = s.charges_enabled,
        payouts_enabled = s.payouts_enabled, details_submitted = s.details_submitted,
        disabled_reason = s.disabled_reason, due = s.due, due_by = s.due_by,
        in_review = s.in_review, country = s.country, default_currency = s.default_currency,
        bank_account = s.bank_account, bank_status = s.bank_status,
        changed_at = CASE WHEN
            (a.authorized, a.charges_enabled, a.payouts_enabled, a.details_submitted,
                a.disabled_reason, a.due, a.due_by, a.in_review, a.country, a.default_currency,
                a.bank_account, a.bank_status)
            IS DISTINCT FROM
            (s.authorized, s.charges_enabled, s.payouts_enabled, s.details_submitted,
                s.disabled_reason, s.due, s.due_by, s.in_review, s.country, s.default_currency,
                s.bank_account, s.bank_status)
            THEN clock_timestamp() ELSE a.changed_at END
    FROM seen AS s
    WHERE a.account = $1 AND a.organization = $2
        AND (a.looked_at IS NULL OR a.looked_at < s.looked_at)
"""
KEEP_REVOKED: Final = """
    UPDATE accounts.accounts
    SET looked_at = $3, authorized = false,
        changed_at = CASE WHEN authorized THEN clock_timestamp() ELSE changed_at END
    WHERE account = $1 AND organization = $2 AND (looked_at IS NULL OR looked_at < $3)
"""
SWITCH: Final = """
    WITH ready AS (
        SELECT account, organization FROM accounts.accounts
        WHERE organization = $1 AND stage = 'onboarding' AND authorized AND charges_enabled
        FOR UPDATE
    )
    UPDATE accounts.accounts AS a SET stage = 'retired', changed_at = clock_timestamp()
    FROM ready AS r WHERE a.organization = r.organization AND a.stage = 'current'
"""
PROMOTE: Final = """
    UPDATE accounts.accounts AS a SET stage = 'current', changed_at = clock_timestamp()
    WHERE organization = $1 AND stage = 'onboarding'
        AND (authorized AND charges_enabled OR NOT EXISTS (
            SELECT FROM accounts.accounts AS c
            WHERE c.organization = a.organization AND c.stage = 'current'))
"""
ADOPT: Final = """
    INSERT INTO accounts.accounts (account, organization, stage) VALUES ($1, $2, 'onboarding')
    ON CONFLICT DO NOTHING
"""
ADOPT_AGAIN: Final = """
    UPDATE accounts.accounts SET stage = 'onboarding', changed_at = clock_timestamp()
    WHERE account = $1 AND organization = $2 AND stage = 'retired' AND NOT EXISTS (
        SELECT FROM accounts.accounts WHERE organization = $2 AND stage = 'onboarding')
"""
STAGE: Final = "SELECT organization, stage FROM read.accounts WHERE account = $1"
RETIRE: Final = """
    UPDATE accounts.accounts SET stage = 'retired', changed_at = clock_timestamp()
    WHERE organization = $1 AND stage = 'current' RETURNING account
"""
KNOWN: Final = """
    SELECT account, stage, authorized, details_submitted FROM accounts.accounts
    WHERE organization = $1 ORDER BY created_at, account
"""
BEGIN: Final = """
    INSERT INTO accounts.creations (organization, number, country)
    SELECT $1, count(*) + 1, $2 FROM accounts.creations
        WHERE organization = $1 AND account IS NOT NULL
    ON CONFLICT (organization, number) DO NOTHING
"""
BEGUN: Final = """
    SELECT number, country, begun_at FROM accounts.creations
    WHERE organization = $1 AND account IS NULL
"""
BEGIN_AGAIN: Final = """
    UPDATE accounts.creations SET country = $3, begun_at = now()
    WHERE organization = $1 AND number = $2 AND account IS NULL
    RETURNING number, country, begun_at
"""
MADE: Final = """
    UPDATE accounts.creations SET account = $3 WHERE organization = $1 AND number = $2
"""
SETTLE: Final = """
    INSERT INTO accounts.requests
        (request, organization, action, outcome, code, account, url, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (request, organization) DO NOTHING
"""


async def now(pool: Pool) -> datetime:
    """The time by the database's clock: one for all processes that look."""
    moment: datetime = await pool.fetchval(NOW)
    return moment


async def keep(connection: AnyConnection, organization: str, looked: Looked) -> None:
    """Keep what a look saw, unless a later one is kept; switch when a new account is ready."""
    if isinstance(looked.seen, AccessRevoked):
        await connection.execute(KEEP_REVOKED, looked.account, organization, looked.began_at)
        return
    state = orjson.dumps(asdict(looked.seen)).decode()
    await connection.execute(KEEP, looked.account, organization, looked.began_at, state)
    await connection.execute(SWITCH, organization)
    await connection.execute(PROMOTE, organization)


async def adopt(connection: AnyConnection, organization: str, account: str) -> RefusalCode | None:
    """Make the account the organization's; why not, if it cannot be."""
    await connection.execute(ADOPT, account, organization)
    await connection.execute(ADOPT_AGAIN, account, organization)
    row = await connection.fetchrow(STAGE, account)
    if row is None or (row["organization"] == organization and row["stage"] == "retired"):
        return "setup_under_way"
    return None if row["organization"] == organization else "account_taken"


async def retire(connection: AnyConnection, organization: str) -> str | None:
    """Take the current account out of use; its id, None when there was none."""
    account: str | None = await connection.fetchval(RETIRE, organization)
    return account


async def known(pool: Pool, organization: str) -> list[Known]:
    """The organization's accounts, oldest first."""
    async with tenant(pool, organization) as connection:
        return [Known(**row) for row in await connection.fetch(KNOWN, organization)]


async def begin(pool: Pool, organization: str, country: str) -> Creation:
    """Note that Stripe is about to be asked for an account, or how it was asked before."""
    async with tenant(pool, organization) as connection:
        await connection.execute(BEGIN, organization, country)
        row = await connection.fetchrow(BEGUN, organization)
        assert row is not None
        return Creation(**row)


async def begin_again(pool: Pool, organization: str, number: int, country: str) -> Creation | None:
    """Begin anew, nothing having come of it so far; None when something has meanwhile."""
    async with tenant(pool, organization) as connection:
        row = await connection.fetchrow(BEGIN_AGAIN, organization, number, country)
    return Creation(**row) if row is not None else None


async def keep_made(pool: Pool, organization: str, number: int, looked: Looked) -> None:
    """Keep an account at once, so that what follows finds it whatever becomes of this batch."""
    async with tenant(pool, organization) as connection:
        await connection.execute(MADE, organization, number, looked.account)
        await connection.execute(ADOPT, looked.account, organization)
        await keep(connection, organization, looked)


async def settle(
    connection: AnyConnection, message: Envelope[AccountRequested], outcome: Outcome
) -> None:
    """Keep what came of a request."""
    body = message.body
    refused = isinstance(outcome, Refusal)
    url, expires_at = None, None
    if isinstance(outcome, Done) and outcome.link is not None:
        url, expires_at = outcome.link
    await connection.execute(
        SETTLE,
        body.request,
        message.organization,
        body.action,
        "refused" if refused else "done",
        outcome.code if isinstance(outcome, Refusal) else None,
        outcome.account if isinstance(outcome, Done) else body.account,
        url,
        expires_at,
    )
