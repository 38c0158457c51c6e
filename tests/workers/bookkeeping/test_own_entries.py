"""What the running writer records by itself, judged by the real verifier."""

import random
from datetime import UTC, datetime, timedelta

from ledger.entry import Request
from ledger.store import pen
from tests.ledger.database import append
from tests.ledger.making import ORIGIN, donation, name
from tests.ledger.making import genesis as genesis_request
from tests.workers.ledger_stand import Stand, entry_id, genesis, gift


def organizations() -> list[str]:
    number = random.SystemRandom().getrandbits(64)
    return [name("org", f"{letter}{number}") for letter in "PAB"]


async def record_in_the_past(stand: Stand, moment: datetime, *requests: Request) -> None:
    async with stand.database.connect("bookkeeping") as connection:
        taken = await pen.take(connection, 0, ORIGIN, "test")
        await append(connection, taken, requests, moment)


async def test_a_census_is_recorded_once_a_day_and_the_audit_agrees(stand: Stand) -> None:
    platform, a, b = organizations()
    yesterday = datetime.now(UTC) - timedelta(days=1)
    old = [genesis_request(platform), genesis_request(a), donation(a, f"of {a}")]
    await record_in_the_past(stand, yesterday, *old)
    writer = await stand.start("bookkeeping")
    await stand.recorded(4)
    messages = [genesis(b), gift(b, 1)]
    await stand.publish(messages)
    recorded = await stand.recorded(6)
    assert recorded[4:] == [entry_id(one) for one in messages]
    await stand.stop(writer)
    await stand.start("bookkeeping")
    await stand.publish([gift(b, 2)])
    await stand.recorded(7)
    await stand.start("checkpoints")
    await stand.published(7)
    report = stand.audit()
    assert (report.censuses, report.organizations) == (1, 3)
