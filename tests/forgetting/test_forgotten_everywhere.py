"""A donor gives in every way, is forgotten, and is nowhere: not in a backup either."""

import base64
import os
import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from amply_verify.note import parse_verifier_key
from amply_verify.receipt import verify_receipt
from amply_verify.trust import Trust
from deploy.embedded import fetch
from deploy.embedded.cache import Cache, default_cache
from deploy.embedded.postgres import binaries, environment
from deploy.embedded.processes import run_to_end
from deploy.platform import Platform
from tests.acceptance.test_operations import amply
from tests.checks import amply_verify, checkpoint_covers_everything
from tests.engines import LoopThread
from tests.forgetting.person import EMAIL, MARK, NAME, SOUGHT, Donor
from tests.forgetting.traces import hits, hits_below
from tests.platform import Running, all_recorded, give, until
from topics.registry import TOPICS


async def postgres_client(program: str, *arguments: str) -> None:
    """One of PostgreSQL's own programs, of the server's version."""
    packages = await fetch.POSTGRESQL.ensure(Cache(default_cache().absolute(), lambda event: None))
    code, printed = await run_to_end(
        [str(binaries(packages) / program), *arguments],
        folder=Path("/"),
        environment=environment(),
        timeout_s=120,
    )
    assert code == 0, printed


async def dump(running: Running, path: Path) -> bytes:
    await postgres_client("pg_dump", "--dbname", running.platform.superuser_dsn, "-f", str(path))
    return path.read_bytes()


def outside_world(running: Running) -> list[Path]:
    """The donor's mailbox and Stripe lie in the data directory only in tests."""
    return [running.data.path / "mail", running.data.path / "sandbox"]


async def records(running: Running) -> list[bytes]:
    """Every record of every topic as consumers get it: compression would hide it in segments."""
    consumer = AIOKafkaConsumer(bootstrap_servers=running.settings["AMPLY_KAFKA"])
    await consumer.start()
    found = []
    try:
        all_of_them = [
            TopicPartition(name, number)
            for name, topic in TOPICS.items()
            for number in range(topic.partitions)
        ]
        consumer.assign(all_of_them)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(all_of_them)
        while any([await consumer.position(one) < ends[one] for one in all_of_them]):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                for record in batch:
                    headers = b"".join(name.encode() + value for name, value in record.headers)
                    found.append(b"\n".join((record.key or b"", headers, record.value or b"")))
    finally:
        await consumer.stop()
    return found


def opened(receipt: bytes) -> dict[str, Any]:
    extra = receipt.split(b"\n")[1].removeprefix(b"extra ")
    openings: dict[str, Any] = orjson.loads(base64.b64decode(extra))["openings"]
    return openings


async def assert_nowhere(running: Running, donor: Donor, scratch: Path) -> None:
    """No byte of the donor in anything that the platform tells."""
    answers = await donor.public_answers() | await donor.own_answers()
    content = {
        **answers,
        "pg_dump": await dump(running, scratch / "dump.sql"),
        "kafka": b"\n".join(await records(running)),
    }
    assert {name: found for name, one in content.items() if (found := hits(one, SOUGHT))} == {}


async def assert_nowhere_on_disk(running: Running, loop: LoopThread) -> None:
    """Stop the platform: no byte of the donor in its data directory, logs and segments included."""
    await running.on_loop(loop, running.platform.stop())
    assert hits_below(running.data.path, SOUGHT, outside_world(running)) == []


class Kept:
    """What donors and auditors kept from before: receipts, an export, a checkpoint."""

    def __init__(self, running: Running, folder: Path) -> None:
        self.running = running
        self.folder = folder
        self.receipts: list[Path] = []

    async def keep(self, donor: Donor) -> None:
        await checkpoint_covers_everything(self.running)
        answers = await donor.own_answers() | await donor.public_answers()
        for name, content in answers.items():
            if name.endswith("/receipt"):
                path = self.folder / f"{len(self.receipts)}.tlog-proof"
                path.write_bytes(content)
                self.receipts.append(path)
                donor_opening = opened(content)["donor"]["value"]
                assert (donor_opening["name"], donor_opening["email"]) == (NAME, EMAIL)
            elif name.endswith("/export"):
                (self.folder / "export.jsonl").write_bytes(content)
            elif name.endswith("/checkpoint"):
                (self.folder / "checkpoint").write_bytes(content)

    async def verify(self) -> None:
        """All of it, alone and against the log of today."""
        key = ("--key", self.running.vkey_file)
        old = ("--old", self.folder / "checkpoint")
        trust = Trust(parse_verifier_key(self.running.vkey_file.read_text().strip()))
        for path in self.receipts:
            verify_receipt(path.read_bytes(), trust)  # RefusedError when it does not hold.
        await amply_verify("export", self.folder / "export.jsonl", *key)
        log = self.running.data.public / "log" / "0"
        receipts = [part for path in self.receipts for part in ("--receipt", path)]
        export = ("--export", self.folder / "export.jsonl")
        await amply_verify("log", log, *key, *old, *receipts, *export)


async def restore(running: Running, loop: LoopThread, backup: Path) -> Platform:
    """Put the backup in place of the stopped platform's database and start it again."""
    folder = running.data.path / "postgres"
    owner = folder.stat()
    shutil.rmtree(folder)
    shutil.move(backup, folder)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    folder.chmod(0o700)
    restored = Platform(running.data.path, port=0)
    running.platform = restored
    await running.on_loop(loop, restored.start())
    return restored


async def pending(running: Running) -> int:
    rows = await running.fetch("SELECT count(*) AS n FROM ledger.pending_erasures")
    return int(rows[0]["n"])


async def profiles(running: Running, donor: Donor) -> int:
    rows = await running.fetch(
        "SELECT count(*) AS n FROM edge.donor_profiles WHERE id = $1", donor.profile
    )
    return int(rows[0]["n"])


@pytest.mark.timeout(900)  # Two starts of a whole platform, on however slow a machine.
async def test_a_forgotten_donor_is_nowhere_and_every_proof_stays_valid(
    running: Running, engine_loop: LoopThread, tmp_path: Path
) -> None:
    # No daily run of its own accord, should this test run over midnight.
    await running.fetch("UPDATE ledger.erasure_run SET last_on = '9999-12-31'")
    donor, kept = Donor(running), Kept(running, tmp_path)
    await donor.give()
    event = await donor.leave_billing_details()
    await donor.leave_messages_behind()
    await kept.keep(donor)
    # The search would find the donor: the mail that went out has the address.
    assert hits_below(running.data.path / "mail", SOUGHT)
    for answer in (await donor.public_answers()).values():  # Nor is anybody linked by an id.
        assert hits(answer, SOUGHT | {donor.profile.encode(): "the profile"}) == []
    backup = tmp_path / "backup"
    dsn = running.platform.superuser_dsn
    await postgres_client("pg_basebackup", "-D", str(backup), "-d", dsn, "-c", "fast")

    slug = running.settings["AMPLY_ORGANIZATION"]
    output = await amply(running, "erase", "--organization", slug, "--email", EMAIL)
    assert f"forgotten {donor.profile}: 7 gifts, 7 entries" in output
    assert MARK not in output
    body = "SELECT body FROM edge.stripe_events WHERE id = $1"
    assert (await running.fetch(body, event))[0]["body"] == b""
    await assert_nowhere(running, donor, tmp_path)
    await kept.verify()

    await assert_nowhere_on_disk(running, engine_loop)

    # Nothing was ever stored in clear, but the key is in the backup.
    assert hits_below(backup, SOUGHT) == []
    restored = await restore(running, engine_loop, backup)
    try:
        assert await profiles(running, donor) == 0
        assert await pending(running) == 7
        assert (await running.fetch(body, event))[0]["body"] == b""
        await the_log_states_it(running, donor)
        await replays_bring_nothing_back(running, donor)
        await assert_nowhere(running, donor, tmp_path)
        await kept.verify()
        await assert_nowhere_on_disk(running, engine_loop)
    finally:
        await running.on_loop(engine_loop, restored.stop())


async def the_log_states_it(running: Running, donor: Donor) -> None:
    """One erasure for each gift; the receipts of today show no donor, those of others still do."""
    await amply(running, "erase", "--record-now")

    async def erasures() -> list[Any]:
        rows = await running.fetch("SELECT bytes FROM read.entries WHERE kind = 'erasure'")
        return rows if len(rows) >= len(donor.gifts) else []

    rows = await until(erasures, what="the erasures are recorded")
    entries = await running.fetch(
        "SELECT id FROM read.entries WHERE subject = ANY($1)", list(donor.gifts)
    )
    assert sorted(orjson.loads(row["bytes"])["ref"] for row in rows) == sorted(
        row["id"] for row in entries
    )
    async with running.edge() as edge:
        for identifier in donor.gifts:
            assert "donor" not in opened(await edge.receipt(identifier))
        for identifier in donor.of_ben:
            assert opened(await edge.receipt(identifier))["donor"]["value"]["name"] == "Ben"


async def replays_bring_nothing_back(running: Running, donor: Donor) -> None:
    """Everything that was ever asked, again; then a gift behind it, which is recorded after it."""
    for topic in ("donations.requested.v1", "payments.captured.v1", "entries.requested.v1"):
        await amply(running, "replay", topic, "--from", "2020-01-01T00:00:00Z")
    await all_recorded(running, await give(running, 1, prefix="after-the-replay"), 60)
    openings = await running.fetch(
        "SELECT entry_id FROM ledger.openings WHERE profile = $1", donor.profile
    )
    assert openings == []
    assert await profiles(running, donor) == 0
