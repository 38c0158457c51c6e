"""How payouts were split: the movements known, the items of each payout, what one waits for."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from topics.outbox import AnyConnection
from workers.payouts.splitting import Open, Part, Rule

MOVEMENTS: Final = """
    SELECT balance_transaction, fund, category, source, net_minor AS amount_minor
    FROM read.movements WHERE organization = $1 AND balance_transaction = ANY ($2)
    UNION ALL
    SELECT balance_transaction, '', category, source, net_minor
    FROM payouts.foreign_movements WHERE organization = $1 AND balance_transaction = ANY ($2)
"""
SPLIT: Final = """
    SELECT rule, foreign_minor, returned_at FROM payouts.payouts
    WHERE id = $1 AND organization = $2 AND rule IS NOT NULL
"""
SPLITS: Final = """
    SELECT p.id, p.returned_at, i.balance_transaction, i.fund, i.category, i.source, i.amount_minor
    FROM payouts.payouts AS p
    LEFT JOIN payouts.items AS i ON i.payout = p.id AND i.organization = p.organization
    WHERE p.organization = $1 AND p.id = ANY ($2) AND p.rule IS NOT NULL
"""
SPLIT_UNTIL: Final = """
    SELECT max(moved_at) FROM payouts.payouts
    WHERE organization = $1 AND account = $2 AND currency = $3 AND moved_at < $4
        AND rule = 'first_in_first_out'
"""
# Before a payout is what Stripe listed before it, and what is older than the list ($5). Taken are
# the items of payouts before it, unless they came back before it.
UNPAID: Final = """
    SELECT * FROM (
        SELECT m.balance_transaction, m.fund, m.category, m.source, m.occurred_at,
            (m.net_minor - coalesce((
                SELECT sum(i.amount_minor) FROM payouts.items AS i
                JOIN payouts.payouts AS p ON p.id = i.payout AND p.organization = i.organization
                WHERE i.balance_transaction = m.balance_transaction AND i.fund = m.fund
                    AND i.organization = $1 AND p.id <> $4
                    AND (p.moved_at < $5 OR p.balance_transaction = ANY ($6))
                    AND NOT coalesce(i.given_back_at < $5
                        OR i.given_back_at IS NOT NULL
                            AND p.failure_balance_transaction = ANY ($6), false)
            ), 0))::bigint AS amount_minor
        FROM (
            SELECT balance_transaction, fund, category, source, occurred_at, net_minor
            FROM read.movements
            WHERE organization = $1 AND account = $2 AND currency = $3
            UNION ALL
            SELECT balance_transaction, '', category, source, occurred_at, net_minor
            FROM payouts.foreign_movements
            WHERE organization = $1 AND account = $2 AND currency = $3
        ) AS m
        WHERE m.category NOT IN ('payout', 'payout_reversal')
            AND (m.occurred_at < $5 OR m.balance_transaction = ANY ($6))
    ) AS open WHERE amount_minor <> 0
"""
SET_SPLIT: Final = """
    UPDATE payouts.payouts SET rule = $3, foreign_minor = $4, split_at = now(),
        waiting_since = NULL, waiting_for = 0, next_look_at = NULL
    WHERE id = $1 AND organization = $2
"""
SET_ITEMS: Final = """
    INSERT INTO payouts.items (payout, organization, account, currency, balance_transaction, fund,
        category, source, amount_minor)
    SELECT $1, $2, $3, $4, i.*
    FROM unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[]) AS i
"""
# Waits double from 30 seconds on; after the last of them only looks of others help.
WAIT: Final = """
    UPDATE payouts.payouts SET waiting_since = coalesce(waiting_since, now()), waiting_for = $3,
        next_look_at = CASE WHEN looks < $4 THEN now() + interval '30 seconds' * 2 ^ looks END
    WHERE id = $1 AND organization = $2
"""
RETURNED: Final = """
    UPDATE payouts.payouts
    SET returned_at = $3, waiting_since = NULL, waiting_for = 0, next_look_at = NULL
    WHERE id = $1 AND organization = $2
"""
GIVE_BACK: Final = """
    UPDATE payouts.items SET given_back_at = $3 WHERE payout = $1 AND organization = $2
"""
#: How often Amply itself looks again for what a payout waits for: the last time after eight hours.
LOOKS_MAX: Final = 10


@dataclass(frozen=True, slots=True)
class Split:
    """How a payout was split, and when its money came back."""

    parts: tuple[Part, ...]
    returned_at: datetime | None


async def movements(
    connection: AnyConnection, organization: str, transactions: Collection[str]
) -> dict[str, list[Part]]:
    """What these balance transactions became, by balance transaction; the known ones only."""
    known: dict[str, list[Part]] = {}
    for row in await connection.fetch(MOVEMENTS, organization, list(transactions)):
        known.setdefault(row["balance_transaction"], []).append(Part(**row))
    return known


async def rule_of(connection: AnyConnection, organization: str, payout: str) -> Rule | None:
    """By which rule a payout was split; None before it was."""
    row = await connection.fetchrow(SPLIT, payout, organization)
    rule: Rule | None = row["rule"] if row else None
    return rule


async def splits(
    connection: AnyConnection, organization: str, payouts: Collection[str]
) -> dict[str, Split]:
    """The splits of those of these payouts that were split, by payout."""
    found: dict[str, list[Part]] = {}
    returned: dict[str, datetime | None] = {}
    for row in await connection.fetch(SPLITS, organization, list(payouts)):
        values = dict(row)
        identifier, returned_at = values.pop("id"), values.pop("returned_at")
        returned[identifier] = returned_at
        parts = found.setdefault(identifier, [])
        if values["balance_transaction"] is not None:
            parts.append(Part(**values))
    return {name: Split(tuple(parts), returned[name]) for name, parts in found.items()}


async def split_until(
    connection: AnyConnection, organization: str, account: str, currency: str, before: datetime
) -> datetime | None:
    """Up to when every line of the account is known to have been judged; None: look at all."""
    until: datetime | None = await connection.fetchval(
        SPLIT_UNTIL, organization, account, currency, before
    )
    return until


async def unpaid(
    connection: AnyConnection,
    organization: str,
    account: str,
    currency: str,
    payout: str,
    first: datetime | None,
    listed: Collection[str],
) -> list[Open]:
    """What was not paid out when `payout` was made: of before `first`, and of `listed`."""
    rows = await connection.fetch(
        UNPAID, organization, account, currency, payout, first, list(listed)
    )
    opened = []
    for row in rows:
        values = dict(row)
        occurred_at = values.pop("occurred_at")
        opened.append(Open(Part(**values), occurred_at))
    return opened


async def keep_split(
    connection: AnyConnection,
    organization: str,
    account: str,
    payout: str,
    currency: str,
    rule: Rule,
    parts: Sequence[Part],
    foreign_minor: int,
) -> None:
    """Keep for good how a payout was split."""
    await connection.execute(SET_SPLIT, payout, organization, rule, foreign_minor)
    await connection.execute(
        SET_ITEMS,
        payout,
        organization,
        account,
        currency,
        [part.balance_transaction for part in parts],
        [part.fund for part in parts],
        [part.category for part in parts],
        [part.source for part in parts],
        [part.amount_minor for part in parts],
    )


async def wait(connection: AnyConnection, organization: str, payout: str, missing: int) -> None:
    """Keep that a payout waits for so many of its lines."""
    await connection.execute(WAIT, payout, organization, missing, LOOKS_MAX)


async def give_back(
    connection: AnyConnection, organization: str, payout: str, returned_at: datetime
) -> None:
    """The payout's money came back: its items can be paid out again."""
    await connection.execute(RETURNED, payout, organization, returned_at)
    await connection.execute(GIVE_BACK, payout, organization, returned_at)
