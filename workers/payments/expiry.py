"""Gifts that stay unpaid too long: found here, closed by the same handler as those canceled."""

import asyncio
from typing import Final, NoReturn

import structlog

from contracts.identifiers import business_id
from contracts.message import Envelope
from contracts.payments import PaymentCancelRequested
from topics import outbox
from topics.registry import PAYMENTS_CANCEL_REQUESTED
from workers.gateways.database import Pool
from workers.payments import store_turns
from workers.payments.cards import Cards
from workers.payments.store import Expiry

_SENDER: Final = "payments"
_EVERY_S: Final = 30.0
_GIFTS_MAX: Final = 200
_log = structlog.get_logger()


async def sweep_for_ever(pool: Pool, expiry: Expiry, cards: Cards) -> NoReturn:
    """Sweep every half minute, also after a failure; forget old declines."""
    while True:
        try:
            await sweep(pool, expiry)
            await cards.forget()
        except Exception as error:  # Nobody awaits this: what ended here would end unseen.
            _log.warning("expiry_sweep_failed", error=type(error).__name__)
        await asyncio.sleep(_EVERY_S)


async def sweep(pool: Pool, expiry: Expiry) -> int:
    """Ask for gifts past their time to be closed, each once a day at most; how many."""
    async with pool.acquire() as connection, connection.transaction():
        overdue = await store_turns.take_overdue(connection, expiry.now(), _GIFTS_MAX)
        records = []
        for organization, donation, asked in overdue:
            body = PaymentCancelRequested(donation=donation, reason="expired")
            message = Envelope(
                id=business_id(asked, f"amply:donation:{donation}:expired"),
                type=PAYMENTS_CANCEL_REQUESTED.name,
                time=asked,
                organization=organization,
                cause=None,
                body=body,
            )
            records.append(outbox.prepare(_SENDER, PAYMENTS_CANCEL_REQUESTED, message))
        await outbox.queue(connection, records)
    return len(overdue)
