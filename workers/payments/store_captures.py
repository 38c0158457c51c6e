"""Gifts that are paid, in PostgreSQL: the attempt and its movement, in one statement."""

from collections.abc import Sequence
from typing import Any, Final

from contracts.message import Envelope
from contracts.stripe_events import StripeEventReceived
from topics.outbox import AnyConnection
from workers.payments.decisions import Captured
from workers.payments.facts import donation_entry
from workers.runtime.worker import Refused

# One statement, since captures are the hot path.
CAPTURE: Final = """
    WITH moves AS (
        SELECT DISTINCT ON (organization, donation) *
        FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
            $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::text[],
            $13::timestamptz[])
            AS m (organization, donation, payment_intent, charge, balance_transaction, account,
            fund, currency, amount_minor, fee_minor, net_minor, entry, occurred_at)
        ORDER BY organization, donation
    ), locked AS (
        SELECT found.* FROM moves AS m CROSS JOIN LATERAL (
            SELECT a.organization, a.donation FROM payments.attempts AS a
            WHERE a.organization = m.organization AND a.donation = m.donation FOR UPDATE
        ) AS found
    ), paid AS (
        UPDATE payments.attempts AS a
        SET state = 'captured', payment_intent = m.payment_intent, charge = m.charge,
            balance_transaction = m.balance_transaction, fund = m.fund
        FROM moves AS m JOIN locked USING (organization, donation)
        WHERE a.organization = m.organization AND a.donation = m.donation
            AND a.state < 'captured'
        RETURNING m.*
    ), noted AS (
        INSERT INTO payments.movements (organization, account, balance_transaction, category,
            source, donation, fund, currency, amount_minor, fee_minor, net_minor, entry,
            occurred_at)
        SELECT organization, account, balance_transaction, 'charge', charge, donation, fund,
            currency, amount_minor, fee_minor, net_minor, entry, occurred_at FROM paid
        ON CONFLICT (balance_transaction, fund, organization) DO NOTHING
    )
    SELECT payment_intent FROM paid
"""
CAPTURED: Final = """
    SELECT payment_intent FROM payments.attempts
    WHERE organization = ANY ($1) AND payment_intent = ANY ($2) AND state = 'captured'
"""


async def capture(
    connection: AnyConnection, captures: Sequence[tuple[Envelope[StripeEventReceived], Captured]]
) -> set[str]:
    """Note that gifts are paid; the payment intents that were news.

    Refused when a gift turns out to be paid by another intent, in this batch or meanwhile.
    """
    if not captures:
        return set()
    organizations = [message.organization for message, _ in captures]
    intents = [captured.payment_intent for _, captured in captures]
    rows = [_captured_row(message.body.account, captured) for message, captured in captures]
    columns = [list(column) for column in zip(*rows, strict=True)]
    found = await connection.fetch(CAPTURE, organizations, *columns)
    moved = {row["payment_intent"] for row in found}
    if moved != set(intents):
        known = await connection.fetch(CAPTURED, organizations, intents)
        if {row["payment_intent"] for row in known} != set(intents):
            raise Refused("second_payment", "the gift was paid by another payment intent")
    return moved


def _captured_row(account: str, captured: Captured) -> tuple[Any, ...]:
    """The columns of CAPTURE after the organization."""
    moved, charge = captured.balance_transaction, captured.charge
    return (
        *(captured.request.donation, captured.payment_intent, charge.id, moved.id, account),
        *(captured.fund, moved.currency, moved.amount_minor),
        *(moved.fee_minor + moved.platform_fee_minor, moved.net_minor),
        *(donation_entry(account, charge), moved.created),
    )
