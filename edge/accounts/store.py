"""Accounts as the edge reads them, and what came of requests about them."""

from typing import Final

from asyncpg import Record

from topics.outbox import AnyConnection

ACCOUNTS: Final = """
    SELECT account, stage, authorized, charges_enabled, payouts_enabled, details_submitted,
        disabled_reason, due, due_by, in_review, country, default_currency, bank_status, changed_at
    FROM read.accounts WHERE organization = $1 ORDER BY created_at, account
"""
OUTCOME: Final = """
    SELECT request, outcome, code, account, url, expires_at FROM read.account_requests
    WHERE organization = $1 AND request = $2
"""
ASKED: Final = "SELECT created_by FROM edge.requests WHERE organization = $1 AND donation = $2"


async def accounts(connection: AnyConnection, organization: str) -> list[Record]:
    """Every account of the organization, oldest first."""
    return await connection.fetch(ACCOUNTS, organization)


async def outcome(connection: AnyConnection, organization: str, request: str) -> Record | None:
    """What came of a request; None while nothing has."""
    return await connection.fetchrow(OUTCOME, organization, request)


async def asked_by(connection: AnyConnection, sender: str, request: str) -> str | None:
    """The key of the organization `sender` that made this request, if one did."""
    key: str | None = await connection.fetchval(ASKED, sender, request)
    return key
