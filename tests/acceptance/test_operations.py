"""What the person on call runs: status, replay, dead letters, the ledger's export."""

import asyncio
import hashlib
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiokafka import AIOKafkaProducer
from beancount import loader

from tests.checks import amply_verify, checkpoint_covers_everything
from tests.platform import Running, all_recorded, give, until


async def amply(running: Running, *arguments: str, status: int = 0) -> str:
    """The output of a command; fails when it ends otherwise than expected."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from deploy.cli import main; main()",
        *arguments,
        "--data",
        str(running.data.path),
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == status, output.decode()
    return output.decode()


async def test_status_shows_every_process_ready(running: Running) -> None:
    output = await amply(running, "status")
    for name in running.platform.supervisor.processes():
        if name not in {"sandbox", "mail_sink"}:
            assert re.search(rf"{name}\s.*yes", output), output
    assert "outbox_rows: 0" in output
    assert "checkpoint_size" in output


async def test_a_dry_replay_counts_and_a_real_one_changes_nothing(running: Running) -> None:
    donations = await give(running, 5, prefix="replayed-by-command")
    await all_recorded(running, donations, 60)
    before = await running.fetch("SELECT count(*) AS n FROM read.entries")
    start = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    topic = "payments.captured.v1"
    dry = await amply(running, "replay", topic, "--from", start, "--dry-run")
    assert "would be sent" in dry
    sent = await amply(running, "replay", topic, "--from", start)
    assert re.search(r"[1-9]\d* sent", sent), sent
    donations = await give(running, 1, prefix="after-replay-by-command")
    await all_recorded(running, donations, 60)
    after = await running.fetch("SELECT count(*) AS n FROM read.entries")
    assert after[0]["n"] == before[0]["n"] + 1


async def test_a_replay_that_makes_no_sense_is_refused_in_a_sentence(running: Running) -> None:
    output = await amply(
        running, "replay", "no.such.topic", "--from", "2026-01-01T00:00:00Z", status=2
    )
    assert "no topic no.such.topic" in output
    assert "Traceback" not in output
    output = await amply(running, "replay", "stripe.events.v1", "--from", "yesterday", status=2)
    assert "not a time" in output


async def test_dead_letters_are_listed_shown_and_released(running: Running) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=running.settings["AMPLY_KAFKA"])
    await producer.start()
    try:
        await producer.send_and_wait("payments.captured.v1", b"0", key=b"poison")
    finally:
        await producer.stop()

    async def listed() -> str:
        rows = await running.fetch(
            "SELECT position FROM messages.set_aside WHERE worker = 'fees' AND key = 'poison'"
        )
        return str(rows[0]["position"]) if rows else ""

    position = await until(listed, what="the poison is a dead letter")
    assert position in await amply(running, "dead-letters", "list", "--worker", "fees")
    shown = await amply(running, "dead-letters", "show", position)
    assert "dead by fees" in shown
    assert "1 of 1 will be handled again" in await amply(
        running, "dead-letters", "release", position
    )

    async def dead_again() -> bool:
        rows = await running.fetch(
            "SELECT disposition, attempts FROM messages.set_aside WHERE position = $1",
            int(position),
        )
        return bool(rows[0]["disposition"] == "dead" and rows[0]["attempts"])

    await until(dead_again, what="the worker tried it once more and buried it again")


async def test_the_exports_that_the_command_writes_are_what_other_tools_read(
    running: Running, tmp_path: Path
) -> None:
    await all_recorded(running, await give(running, 3, prefix="exported-by-command"), 60)
    await checkpoint_covers_everything(running)
    slug = running.settings["AMPLY_ORGANIZATION"]
    command = ("ledger", "export", "--organization", slug, "--output")
    path = tmp_path / "ledger.jsonl"
    output = await amply(running, *command, str(path), "--since", "1")
    manifest = json.loads((tmp_path / "ledger.jsonl.manifest.json").read_bytes())
    assert f"{manifest['entries']} entries as of size {manifest['size']}" in output
    assert manifest["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    await amply_verify("export", path, "--key", running.vkey_file)
    path = tmp_path / "books.beancount"
    await amply(running, *command, str(path), "--format", "beancount", "--openings")
    entries, errors, _ = loader.load_file(str(path))
    assert errors == [] and len(entries) > 5
    path = tmp_path / "books.csv"
    await amply(running, *command, str(path), "--format", "csv", "--bom")
    assert path.read_bytes().startswith(b"\xef\xbb\xbfseq,posting,")
    assert sorted(path.suffix for path in tmp_path.iterdir()).count(".part") == 0


async def test_an_export_of_nobody_is_refused_in_a_sentence(
    running: Running, tmp_path: Path
) -> None:
    path = tmp_path / "none.jsonl"
    command = ("ledger", "export", "--organization", "nobody", "--output", str(path))
    output = await amply(running, *command, status=1)
    assert "404 organization_not_found" in output and "Traceback" not in output
    assert list(tmp_path.iterdir()) == []


async def test_balances_are_told_as_of_now_a_time_and_an_entry(running: Running) -> None:
    started = datetime.now(UTC).isoformat()
    donations = await give(running, 2, prefix="for-balances")
    await all_recorded(running, donations, 60)
    ask = ("ledger", "balances", "--json", "--organization", running.settings["AMPLY_ORGANIZATION"])
    for _ in range(20):  # Gifts of other tests may still be on their way.
        now = json.loads(await amply(running, *ask))
        kept = await running.fetch(
            "SELECT fund, account, currency, amount::text, seq FROM ledger.balances"
            " JOIN ledger.chains USING (organization) WHERE organization = $1",
            now["id"],
        )
        if kept[0]["seq"] == now["seq"]:
            break
    told = {
        (row["fund"], row["account"], row["currency"]): row["amount"] for row in now["balances"]
    }
    assert told == {(row["fund"], row["account"], row["currency"]): row["amount"] for row in kept}
    before = json.loads(await amply(running, *ask, "--seq", str(now["seq"] - 1)))
    assert before["seq"] == now["seq"] - 1
    earlier = json.loads(await amply(running, *ask, "--at", started))
    assert earlier["seq"] <= now["seq"] - 2
    table = await amply(running, *(word for word in ask if word != "--json"))
    assert "Income:Donations" in table
    for wrong, status in ((("--at", "never"), 2), (("--seq", "999999"), 1)):
        assert "Traceback" not in await amply(running, *ask, *wrong, status=status)


async def test_the_ledger_is_checked_while_gifts_come_in(running: Running) -> None:
    giving = asyncio.create_task(give(running, 30, prefix="while-checked"))
    report = json.loads(await amply(running, "ledger", "check", "--json"))
    assert (report["agrees"], report["findings"]) == (True, [])
    await all_recorded(running, await giving, 60)
    assert "all agrees" in await amply(running, "ledger", "check")


async def test_a_difference_ends_the_check_with_status_1(running: Running) -> None:
    fund = await running.fetch("SELECT id, currency FROM ledger.funds LIMIT 1")
    change = "UPDATE ledger.funds SET currency = $2 WHERE id = $1"
    await running.fetch(change, fund[0]["id"], "XTS")
    try:
        output = await amply(running, "ledger", "check", status=1)
        shown = await amply(running, "ledger", "rebuild", status=1)
    finally:
        await running.fetch(change, *fund[0])
    assert "fund: " in output and "with XTS is stored" in output
    assert "1 differences" in output
    assert f"funds {fund[0]['id']}: " in shown
    assert "nothing differs" in await amply(running, "ledger", "rebuild")
