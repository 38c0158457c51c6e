"""Once a day the log states whose donors were forgotten, and not which of them were one person."""

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from contracts.entries import EntryRequested
from contracts.identifiers import random_id, type_id
from contracts.message import Envelope
from ledger.store import erasure
from ledger.store.erasure import PendingErasure
from tests.engines import LoopThread
from tests.ledger import making
from tests.ledger.database import Database, until
from tests.ledger.making import name
from tests.workers.ledger_stand import Stand, entry_id, genesis, gift
from topics import codec, outbox
from topics.registry import ENTRIES_REQUESTED
from workers.bookkeeping.erasures import REQUESTS_MAX, request_due, request_of

EVENING = datetime(2027, 3, 1, 23, 59, 59, tzinfo=UTC)
MIDNIGHT = EVENING + timedelta(seconds=1)


@pytest.fixture
async def database(postgres_database: Callable[[], str], engine_loop: LoopThread) -> Database:
    made = Database(postgres_database())
    engine_loop.run(made.prepare())
    return made


async def pend(database: Database, count: int) -> list[PendingErasure]:
    """So many entries whose donors were forgotten, of two organizations."""
    made = [
        PendingErasure(name("org", number % 2), type_id("ent", random_id(EVENING)), "gdpr-17")
        for number in range(count)
    ]
    await database.fetch(
        "INSERT INTO ledger.pending_erasures (organization, entry_id, basis)"
        " SELECT * FROM unnest($1::text[], $2::text[], $3::text[])",
        *map(list, zip(*made, strict=True)),
    )
    return made


async def make_run(database: Database, now: datetime, **given: Any) -> int | None:
    async with database.connect("bookkeeping") as connection:
        return await request_due(connection, now, **given)


async def sent(database: Database) -> list[Envelope[EntryRequested]]:
    rows = await database.fetch(
        "WITH gone AS (DELETE FROM messages.outbox RETURNING position, headers, value)"
        " SELECT headers, value FROM gone ORDER BY position"
    )
    return [
        codec.decode(ENTRIES_REQUESTED, outbox.parse_headers(row["headers"]), row["value"])
        for row in rows
    ]


async def test_a_day_has_one_run_and_a_person_on_call_can_have_another(database: Database) -> None:
    assert await make_run(database, EVENING) == 0
    await pend(database, 3)
    assert await make_run(database, EVENING) is None
    assert await make_run(database, MIDNIGHT) == 3
    assert await make_run(database, MIDNIGHT) is None
    async with database.connect("operations") as connection:
        await erasure.want_run(connection)
    assert await make_run(database, MIDNIGHT) == 3
    # Nothing recorded them yet: it is the same request again, which the ledger would skip.
    first, again = (messages := await sent(database))[:3], messages[3:]
    assert {one.id for one in first} == {one.id for one in again}


async def test_all_persons_are_mixed_and_no_entry_is_left_out(database: Database) -> None:
    pending = await pend(database, REQUESTS_MAX + 5)
    mixed: list[PendingErasure] = []

    def shuffle(items: list[PendingErasure]) -> None:
        random.Random(7).shuffle(items)
        mixed.extend(items)

    assert await make_run(database, EVENING, shuffle=shuffle) == len(pending)
    messages = await sent(database)
    assert [message.body.ref for message in messages] == [one.entry_id for one in mixed]
    assert sorted(mixed) == sorted(pending)
    assert mixed != sorted(mixed)


def test_an_erasure_says_nothing_but_its_entry_its_basis_and_what_is_gone() -> None:
    one = PendingErasure(name("org", 1), type_id("ent", random_id(EVENING)), "gdpr-17")
    message = request_of(one)
    assert message == request_of(one)
    assert message.time == EVENING  # The entry's, not the erasure's: a person's would be alike.
    assert message.body == EntryRequested(
        kind="erasure",
        visibility="public_full",
        ref=one.entry_id,
        details={"sections": ["donor"], "basis": "gdpr-17"},
    )
    other = request_of(one._replace(entry_id=type_id("ent", random_id(EVENING))))
    assert other.id != message.id


async def test_what_the_log_holds_is_pending_no_longer(database: Database) -> None:
    organization = name("org", 0)
    await database.record(making.genesis(organization), making.donation(organization, "gift"))
    recorded = PendingErasure(organization, name("ent", "gift"), "gdpr-17")
    identifier = type_id("ent", request_of(recorded).id)
    details = {"sections": ["donor"], "basis": "gdpr-17"}
    await database.record(
        making.genesis(organization)._replace(
            id=identifier, kind="erasure", ref=recorded.entry_id, details=details
        )
    )
    pending = await pend(database, 2)
    await database.fetch(
        "INSERT INTO ledger.pending_erasures (organization, entry_id, basis) VALUES ($1, $2, $3)",
        *recorded,
    )
    assert await make_run(database, EVENING) == 2
    left = await database.fetch("SELECT organization, entry_id, basis FROM ledger.pending_erasures")
    assert sorted(map(tuple, left)) == sorted(pending)


async def test_the_running_writer_records_erasures_that_every_audit_accepts(stand: Stand) -> None:
    number = random.SystemRandom().getrandbits(64)
    organization = name("org", f"erasing {number}")
    gifts = [gift(organization, f"{number}/{count}") for count in range(4)]
    await stand.start("bookkeeping")
    await stand.start("relay")
    await stand.start("checkpoints")
    await stand.publish([genesis(organization), *gifts])
    await stand.recorded(5)
    await stand.published(5)
    older = stand.checkpoint()
    await forget(stand.database, organization, gifts[:3])
    openings = "SELECT count(*) FROM ledger.openings WHERE section = 'donor'"
    assert await stand.database.value(openings) == 1
    await stand.recorded(8)
    rows = await stand.database.fetch("SELECT bytes FROM read.entries WHERE kind = 'erasure'")
    erased = {orjson.loads(row["bytes"])["ref"] for row in rows}
    assert erased == {entry_id(one) for one in gifts[:3]}
    await stand.published(8)
    assert stand.audit(older).signed.checkpoint.size == 8
    # The same requests again, and the gifts themselves: nothing is added, nothing comes back.
    await forget(stand.database, organization, [])
    await stand.publish(gifts)
    later = gift(organization, f"{number}/later")
    await stand.publish([later])
    assert len(await stand.recorded(9)) == 9
    assert await stand.database.value(openings) == 2

    async def settled() -> bool:
        return not await stand.database.value("SELECT count(*) FROM ledger.pending_erasures")

    await until(settled, "the run finds its erasures recorded")


async def forget(
    database: Database, organization: str, gifts: Sequence[Envelope[EntryRequested]]
) -> None:
    """Forget the donors of gifts, and want a run."""
    async with database.connect("operations") as connection:
        for one in gifts:
            assert one.body.donor is not None and one.body.subject is not None
            await erasure.forget(
                connection,
                organization,
                one.body.donor.profile,
                [one.body.subject],
                "gdpr-17",
                EVENING,
            )
        await erasure.want_run(connection)
