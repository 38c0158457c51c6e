"""Accounts in PostgreSQL: how each one is, which is current, what came of requests."""

from dataclasses import asdict
from datetime import datetime
from typing import Final

import orjson

from contracts.accounts import AccountRequested
from contracts.message import Envelope
from topics.outbox import AnyConnection
from workers.accounts.decisions import Looked, Refusal, RefusalCode
from workers.gateways.database import Pool
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
SETTLE: Final = """
    INSERT INTO accounts.requests (request, organization, action, outcome, code, account)
    VALUES ($1, $2, $3, $4, $5, $6)
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


async def settle(
    connection: AnyConnection,
    message: Envelope[AccountRequested],
    outcome: str | Refusal | None,
) -> None:
    """Keep what came of a request: the account that it was about, or a refusal."""
    body = message.body
    refusal = outcome if isinstance(outcome, Refusal) else None
    await connection.execute(
        SETTLE,
        body.request,
        message.organization,
        body.action,
        "refused" if refusal else "done",
        refusal.code if refusal else None,
        body.account if refusal else outcome,
    )
