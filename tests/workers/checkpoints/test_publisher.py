"""The publisher as a process: what it signs, what it refuses to sign, what it repairs."""

import asyncio
import shutil
from contextlib import suppress
from typing import Any

import aiohttp
import orjson
import pytest

from contracts.checkpoints import CheckpointPublished
from deploy.ports import free_ports
from tests.ledger.database import until
from tests.ledger.making import donation, genesis, name
from tests.workers.ledger_stand import Stand

PLATFORM, A = name("org", "P"), name("org", "A")


async def grow(stand: Stand, size: int) -> None:
    """Have the log recorded up to a size, without Kafka."""
    before: Any = await stand.database.value("SELECT size FROM ledger.writers")
    if not before:
        await stand.database.record(genesis(PLATFORM), genesis(A))
        before = 2
    await stand.database.record(*(donation(A, number) for number in range(before, size)))


async def tamper(stand: Stand, change: str) -> None:
    """Change an entry as somebody with all rights and no scruples would."""
    async with stand.database.connect() as connection:
        await connection.execute(
            "ALTER TABLE ledger.entries DISABLE TRIGGER USER;"
            "ALTER TABLE ledger.entries DROP CONSTRAINT IF EXISTS hash_of_bytes;"
            f"UPDATE ledger.entries SET {change};"
            "ALTER TABLE ledger.entries ENABLE TRIGGER USER;"
        )


async def test_every_published_size_can_be_audited_and_leads_to_the_next(stand: Stand) -> None:
    publisher = await stand.start("checkpoints")
    notes: list[str] = []
    for size in (3, 255, 256, 257, 600):
        await grow(stand, size)
        await stand.published(size)
        report = stand.audit(*notes)
        assert (report.signed.checkpoint.size, report.organizations) == (size, 2)
        notes.append(stand.checkpoint())
    await stand.stop(publisher)
    assert not list(stand.folder.glob("tile/*/000.p/255")), "its full tile is there"
    assert (stand.folder / "tile/1/000.p/2").exists()
    rows = await stand.database.fetch("SELECT topic, value FROM messages.outbox ORDER BY position")
    assert {row["topic"] for row in rows} == {"checkpoints.published.v1"}
    told = [CheckpointPublished(**orjson.loads(row["value"])) for row in rows]
    assert [one.note for one in told if one.note in notes] == notes
    assert [one.size for one in told] == sorted({one.size for one in told})


STEPS = ["checkpoints.signed", "checkpoints.tiles_written", "checkpoints.published"]


@pytest.mark.parametrize("step", STEPS)
async def test_killed_on_the_way_it_publishes_what_it_signed(stand: Stand, step: str) -> None:
    await grow(stand, 300)
    first = await stand.start("checkpoints")
    await stand.published(300)
    await stand.stop(first)
    old = stand.checkpoint()
    await grow(stand, 520)
    await stand.start_to_die("checkpoints", step, 1)
    signed = await stand.database.value("SELECT note FROM ledger.checkpoints WHERE size = 520")
    assert signed
    await grow(stand, 540)
    await stand.start("checkpoints")
    await stand.published(540)
    await stand.published(520)
    assert stand.audit(old, signed).signed.checkpoint.size == 540
    sizes = await stand.database.fetch("SELECT size FROM ledger.checkpoints ORDER BY size")
    assert [row["size"] for row in sizes] == [300, 520, 540]


async def test_lost_and_spoilt_files_are_written_anew(stand: Stand) -> None:
    await grow(stand, 300)
    publisher = await stand.start("checkpoints")
    await stand.published(300)
    await stand.stop(publisher)
    before = {path: path.read_bytes() for path in stand.folder.rglob("*") if path.is_file()}
    for damage in (
        lambda: shutil.rmtree(stand.folder),
        lambda: (stand.folder / "tile/0/000").unlink(),
        lambda: (stand.folder / "tile/0/001.p/44").write_bytes(bytes(44 * 32)),
        lambda: (stand.folder / "checkpoint").unlink(),
    ):
        damage()
        publisher = await stand.start("checkpoints")

        async def repaired() -> bool:
            return all(path.exists() and path.read_bytes() == data for path, data in before.items())

        await until(repaired, "the files are as they were")
        await stand.stop(publisher)
        stand.audit()


@pytest.mark.parametrize(
    "change",
    [
        "bytes = set_byte(bytes, 20, get_byte(bytes, 20) # 1) WHERE index = 12",
        "bytes = 'x', leaf_hash = sha256('\\x0078'::bytea) WHERE index = 12",
        "index = 1000 WHERE index = 19",
    ],
    ids=["a flipped bit", "another entry with its own hash", "a missing entry"],
)
async def test_what_was_changed_before_it_was_signed_is_never_signed(
    stand: Stand, change: str
) -> None:
    await grow(stand, 10)
    publisher = await stand.start("checkpoints")
    await stand.published(10)
    await stand.stop(publisher)
    note, files = stand.checkpoint(), sorted(stand.folder.rglob("*"))
    await grow(stand, 20)
    await tamper(stand, change)
    publisher = await stand.start("checkpoints")
    await until(refused(stand), "the publisher refuses to sign")
    assert await stand.database.value("SELECT max(size) FROM ledger.checkpoints") == 10
    assert stand.checkpoint() == note
    assert sorted(stand.folder.rglob("*")) == files
    assert publisher.returncode is None, "it stays up to say so"
    await stand.stop(publisher)


def refused(stand: Stand) -> Any:
    async def check() -> bool:
        return "refused_to_sign" in stand.events()

    return check


async def test_the_index_of_what_was_changed_is_named_and_the_alarm_is_on(stand: Stand) -> None:
    await grow(stand, 20)
    await tamper(stand, "bytes = set_byte(bytes, 20, 88) WHERE index = 12")
    (port,) = free_ports(1)
    await stand.start("checkpoints", AMPLY_METRICS_PORT=str(port))
    await until(refused(stand), "the publisher refuses to sign")
    assert "index 12 is not what was hashed" in stand.logs()
    assert not (stand.folder / "checkpoint").exists()

    async def is_served() -> bool:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return True
        return False

    await until(is_served, "the health port listens")
    base = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{base}/metrics") as metrics:
            assert "ledger_refusing_to_sign 1.0" in await metrics.text()
        async with session.get(f"{base}/readyz") as ready:
            assert ready.status == 503
        async with session.get(f"{base}/livez") as alive:
            assert alive.status == 200, "a restart would not help"


async def test_one_of_two_publishers_publishes_and_the_other_takes_over(stand: Stand) -> None:
    await grow(stand, 5)
    first = await stand.start("checkpoints")
    await stand.published(5)
    second = await stand.start("checkpoints")

    async def waits() -> bool:
        return "cannot_publish" in stand.events()

    await until(waits, "the second one waits")
    first.kill()
    await asyncio.wait_for(first.wait(), 10)
    await grow(stand, 9)
    await stand.published(9)
    assert stand.audit().signed.checkpoint.size == 9
    await stand.stop(second)


async def test_an_empty_log_has_no_checkpoint(stand: Stand) -> None:
    publisher = await stand.start("checkpoints")

    async def looked() -> bool:
        sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'amply_checkpoints'"
        return bool(await stand.database.value(sql))

    await until(looked, "the publisher is connected")
    await stand.stop(publisher)
    assert not (stand.folder / "checkpoint").exists()
    assert await stand.database.value("SELECT count(*) FROM ledger.checkpoints") == 0
