"""Refunds in PostgreSQL: what was asked for, what Stripe has, which call is under way."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from contracts.message import Envelope
from contracts.refunds import RefundRequested
from topics.outbox import AnyConnection
from workers.gateways.database import Pool, tenant
from workers.gateways.stripe_refunds import Refund
from workers.payments.bookings import Origin
from workers.payments.decisions_refunds import Asked, Known, claimed_name, name_of
from workers.payments.store import gift_of

_COLUMNS: Final = (
    "organization, id, donation, charge, stripe_refund, status, amount_minor, currency, reason,"
    " code, entry, failure_entry, version, seen_at, created_at"
)
GIFT: Final = """
    SELECT state::text, account, charge, request, fund FROM payments.attempts
    WHERE organization = $1 AND donation = $2
"""
ASK: Final = """
    INSERT INTO payments.refunds (organization, id, donation, charge, status, amount_minor,
        currency, reason, created_at)
    VALUES ($1, $2, $3, $4, 'requested', $5, $6, $7, $8)
    ON CONFLICT (id, organization) DO NOTHING
"""
ASKED: Final = f"""
    SELECT {_COLUMNS}, attempt, called_at, returns_platform_fee,
        (SELECT coalesce(sum(o.amount_minor), 0)::bigint FROM payments.refunds AS o
            WHERE o.organization = r.organization AND o.donation = r.donation AND o.id <> r.id
                AND (o.status IN ('pending', 'requires_action', 'succeeded')
                    OR o.status = 'requested' AND o.called_at IS NOT NULL)) AS others_minor,
        EXISTS (SELECT FROM payments.disputes AS d
            WHERE d.organization = r.organization AND d.donation = r.donation
                AND d.blocks_refunds) AS is_disputed
    FROM payments.refunds AS r WHERE organization = $1 AND id = $2
"""  # noqa: S608 - column names are this module's constants, no value is in the text
CALLING: Final = """
    UPDATE payments.refunds
    SET called_at = $3, amount_minor = $4, returns_platform_fee = $5
    WHERE organization = $1 AND id = $2
"""
NEXT_KEY: Final = """
    UPDATE payments.refunds SET attempt = attempt + 1
    WHERE organization = $1 AND id = $2 AND attempt = $3
"""
# Of two, the row that has this refund already: metadata may claim what it likes.
FIND: Final = f"""
    SELECT {_COLUMNS} FROM payments.refunds
    WHERE organization = $1
        AND (stripe_refund = $2 OR id = $3 AND donation = $4 AND stripe_refund IS NULL)
    ORDER BY stripe_refund LIMIT 1 FOR UPDATE
"""  # noqa: S608 - column names are this module's constants, no value is in the text
ADOPT: Final = """
    INSERT INTO payments.refunds (organization, id, donation, charge, stripe_refund, status,
        amount_minor, currency, reason, created_at)
    VALUES ($1, $2, $3, $4, $5, 'requested', $6, $7, $8, $9)
    ON CONFLICT DO NOTHING
"""
BY_ID: Final = f"""
    SELECT {_COLUMNS} FROM payments.refunds WHERE organization = $1 AND id = $2 FOR UPDATE
"""  # noqa: S608 - column names are this module's constants, no value is in the text
KEEP: Final = """
    UPDATE payments.refunds
    SET charge = $3, stripe_refund = $4, status = $5, amount_minor = $6, currency = $7,
        reason = $8, code = $9, entry = $10, failure_entry = $11, version = $12, seen_at = $13
    WHERE organization = $1 AND id = $2
"""


async def ask(pool: Pool, message: Envelope[RefundRequested]) -> Asked | None:
    """Note, in a transaction of its own, that a refund is wanted; None: no such gift is paid."""
    body, organization = message.body, message.organization
    async with tenant(pool, organization) as connection:
        gift = await connection.fetchrow(GIFT, organization, body.donation)
        if gift is None:
            return None
        request = gift_of(gift)
        await connection.execute(
            ASK,
            organization,
            body.refund,
            body.donation,
            gift["charge"],
            body.amount_minor,
            request.currency,
            body.reason,
            message.time,
        )
        row = await connection.fetchrow(ASKED, organization, body.refund)
    assert row is not None
    return Asked(
        known=_known(row),
        gift=request,
        attempt=row["attempt"],
        called_at=row["called_at"],
        returns_platform_fee=row["returns_platform_fee"],
        account=gift["account"],
        is_captured=gift["state"] == "captured",
        others_minor=row["others_minor"],
        is_disputed=row["is_disputed"],
    )


async def note_call(
    pool: Pool, known: Known, now: datetime, amount_minor: int, *, returns_platform_fee: bool
) -> None:
    """Keep what Stripe is about to be called with, so that the call can be repeated as it was."""
    async with tenant(pool, known.organization) as connection:
        await connection.execute(
            CALLING, known.organization, known.id, now, amount_minor, returns_platform_fee
        )


async def take_next_key(pool: Pool, known: Known, attempt: int) -> None:
    """Leave the idempotency key of this attempt behind."""
    async with tenant(pool, known.organization) as connection:
        await connection.execute(NEXT_KEY, known.organization, known.id, attempt)


async def lock(connection: AnyConnection, origin: Origin, refund: Refund) -> Known:
    """What is known of Stripe's refund: a new row if it was not asked for here."""
    organization, donation = origin.organization, origin.gift.donation
    wanted = (organization, refund.id, claimed_name(refund), donation)
    row = await connection.fetchrow(FIND, *wanted)
    if row is None:
        await connection.execute(
            ADOPT,
            organization,
            name_of(origin.account, refund),
            donation,
            origin.charge.id,
            refund.id,
            refund.amount_minor,
            refund.currency,
            refund.reason,
            refund.created,
        )
        row = await connection.fetchrow(FIND, *wanted)
    assert row is not None
    return _known(row)


async def lock_asked(connection: AnyConnection, organization: str, refund: str) -> Known | None:
    """What is known of a refund that was asked for here."""
    row = await connection.fetchrow(BY_ID, organization, refund)
    return None if row is None else _known(row)


async def keep(connection: AnyConnection, known: Known) -> None:
    """Store what is known now."""
    row = asdict(known)
    for fixed in ("donation", "created_at"):
        del row[fixed]
    columns: Sequence[Any] = list(row.values())
    await connection.execute(KEEP, *columns)


def _known(row: Any) -> Known:
    return Known(**{name.strip(): row[name.strip()] for name in _COLUMNS.split(",")})
