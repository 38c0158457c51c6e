"""Payouts as they were seen, what became of their balance transactions, what was ignored."""

from collections.abc import Iterable, Sequence
from typing import Final

from contracts.message import Envelope
from contracts.stripe_events import StripeEventReceived
from topics.outbox import AnyConnection
from workers.gateways.database import Pool
from workers.gateways.stripe_balance import BalanceLine
from workers.gateways.stripe_payouts import Payout
from workers.payouts.decisions import RANKS, Booked, Owner, Reason, entry_id

OWNER: Final = """
    SELECT o.visibility, o.public_after_days
    FROM read.organizations AS o JOIN read.accounts AS a ON a.organization = o.id
    WHERE o.id = $1 AND a.account = $2
"""
FUNDS: Final = """
    SELECT currency, id FROM read.funds WHERE organization = $1 AND is_default
"""
LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('payouts/' || $1, 0))"
SEE: Final = """
    INSERT INTO payouts.payouts AS p (id, organization, account, status, amount_minor, fee_minor,
        currency, automatic, arrival_date, created_at, failure_code, balance_transaction, moved_at,
        failure_balance_transaction)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
    ON CONFLICT (id, organization) DO UPDATE
    SET status = excluded.status, arrival_date = excluded.arrival_date,
        failure_code = excluded.failure_code,
        failure_balance_transaction =
            coalesce(excluded.failure_balance_transaction, p.failure_balance_transaction)
    WHERE $15::jsonb -> p.status <= $15::jsonb -> excluded.status
"""
MOVE: Final = """
    INSERT INTO payouts.movements (organization, account, balance_transaction, category, source,
        currency, entry, occurred_at, fund, amount_minor, fee_minor, net_minor)
    SELECT $1, $2, $3, $4, $5, $6, $7, $8, m.*
    FROM unnest($9::text[], $10::bigint[], $11::bigint[], $12::bigint[]) AS m
    ON CONFLICT (balance_transaction, fund, organization) DO NOTHING
    RETURNING 1
"""
FOREIGN: Final = """
    INSERT INTO payouts.foreign_movements (balance_transaction, organization, account, category,
        source, currency, net_minor, reason, occurred_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT (balance_transaction, organization) DO NOTHING
"""
IGNORE: Final = """
    INSERT INTO payouts.ignored_events (event, event_type, organization, account, object, reason)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (event) DO NOTHING
"""
_RANKS: Final = "{" + ", ".join(f'"{name}": {rank}' for name, rank in RANKS.items()) + "}"


async def owner_of(pool: Pool, organization: str, account: str) -> Owner | None:
    """The organization, with its default funds; None when the account never was its own."""
    row = await pool.fetchrow(OWNER, organization, account)
    if row is None:
        return None
    funds = {fund["currency"]: fund["id"] for fund in await pool.fetch(FUNDS, organization)}
    return Owner(row["visibility"], row["public_after_days"], funds)


async def lock(connection: AnyConnection, accounts: Iterable[str]) -> None:
    """Let nobody else split payouts of these accounts until the transaction ends."""
    for account in sorted(set(accounts)):
        await connection.execute(LOCK, account)


async def see(connection: AnyConnection, organization: str, account: str, payout: Payout) -> None:
    """Remember a payout as Stripe shows it; an older status than the one known changes nothing."""
    failure = payout.failure_line
    await connection.execute(
        SEE,
        payout.id,
        organization,
        account,
        payout.status,
        -payout.line.amount_minor,
        payout.line.fee_minor,
        payout.line.currency,
        payout.automatic,
        payout.arrival_date,
        payout.created,
        payout.failure_code,
        payout.line.id,
        payout.line.created,
        failure.id if failure else None,
        _RANKS,
    )


async def note_movements(
    connection: AnyConnection, organization: str, account: str, booked: Booked
) -> bool:
    """Note a balance transaction as passed on to the ledger; whether that was news."""
    line, rows = booked.line, booked.movements
    news = await connection.fetch(
        MOVE,
        organization,
        account,
        line.id,
        line.category,
        line.source,
        line.currency,
        entry_id(booked.id),
        line.created,
        [row.fund for row in rows],
        [row.amount_minor for row in rows],
        [row.fee_minor for row in rows],
        [row.net_minor for row in rows],
    )
    return bool(news)


async def note_foreign(
    connection: AnyConnection,
    organization: str,
    account: str,
    line: BalanceLine,
    net_minor: int,
    reason: str,
) -> None:
    """Keep that (this part of) a line is not ours, and why."""
    await connection.execute(
        FOREIGN,
        line.id,
        organization,
        account,
        line.category,
        line.source,
        line.currency,
        net_minor,
        reason,
        line.created,
    )


async def ignore(
    connection: AnyConnection, ignored: Sequence[tuple[Envelope[StripeEventReceived], Reason]]
) -> None:
    """Keep which events moved nothing, and why."""
    for message, reason in ignored:
        event = message.body
        await connection.execute(
            IGNORE,
            event.event,
            event.event_type,
            message.organization,
            event.account,
            event.object,
            reason,
        )
