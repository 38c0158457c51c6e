"""Rounds: what payouts does without a message, again and again while the process lives.

Waiting payouts are counted and looked at again, and the payouts that Amply makes itself are made.
A round that fails is told of and tried anew: nothing of it is lost, since all it knows is in the
database.
"""

import asyncio
from datetime import UTC, datetime
from typing import Final

import structlog
from prometheus_client import Gauge

from contracts.identifiers import random_id
from contracts.looks import PayoutLookRequested
from contracts.message import Envelope
from topics import outbox, registry
from workers.gateways.database import tenant
from workers.payouts import job
from workers.payouts.looking import Payouts
from workers.payouts.store import looks

INTERVAL_S: Final = 15.0
LOOKS_MAX: Final = 100
_log = structlog.get_logger("payouts")
_waiting = Gauge("payouts_waiting", "Payouts that wait for movements that are not booked")
_waiting_age = Gauge("payouts_waiting_oldest_seconds", "For how long the oldest has waited")


async def make(payouts: Payouts) -> None:
    """Make rounds until cancelled."""
    while True:
        try:
            await measure(payouts)
            await look_again(payouts)
            await job.pay_out(payouts)
        except Exception as error:
            _log.warning("round_failed", error=type(error).__name__)
        await asyncio.sleep(INTERVAL_S)


async def measure(payouts: Payouts) -> None:
    """Set the gauges of the payouts that wait."""
    number, oldest_s = await looks.waiting(payouts.pool)
    _waiting.set(number)
    _waiting_age.set(oldest_s)


async def look_again(payouts: Payouts) -> int:
    """Ask for a look at each payout whose time to be looked at has come; at how many."""
    asked = 0
    for organization, account, payout in await looks.due(payouts.pool, LOOKS_MAX):
        async with tenant(payouts.pool, organization) as connection:
            if not await looks.take(connection, organization, payout):
                continue
            now = datetime.now(UTC)
            message = Envelope(
                id=random_id(now),
                type=registry.PAYOUTS_LOOK_REQUESTED.name,
                time=now,
                organization=organization,
                cause=None,
                body=PayoutLookRequested(account=account, object=payout, reason="stuck"),
            )
            record = outbox.prepare("payouts", registry.PAYOUTS_LOOK_REQUESTED, message)
            await outbox.queue(connection, [record])
            asked += 1
    return asked
