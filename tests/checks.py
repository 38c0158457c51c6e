"""What must hold of a platform's ledger, checked with the verifier that outsiders use."""

import asyncio
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amply_verify.note import parse_verifier_key
from amply_verify.receipt import verify_receipt
from amply_verify.trust import Trust
from tests.platform import Running, until


async def amply_verify(*arguments: str | Path) -> dict[str, Any]:
    """`amply-verify ... --json` in a process of its own; fails unless it says verified."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "amply_verify",
        *map(str, arguments),
        "--json",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, (arguments, output.decode()[-2000:], errors.decode()[-2000:])
    result: dict[str, Any] = json.loads(output)
    assert result["verified"] is True
    return result


async def checkpoint_covers_everything(running: Running) -> int:
    """Wait until the newest checkpoint has the size of the log; that size."""

    async def covered() -> int:
        rows = await running.fetch(
            "SELECT (SELECT max(size) FROM read.checkpoints) AS covered,"
            " (SELECT max(index) + 1 FROM read.entries) AS size"
        )
        return int(rows[0]["size"]) if rows[0]["covered"] == rows[0]["size"] else 0

    return await until(covered, what="a checkpoint covers every entry", timeout_s=30)


async def export(running: Running, path: Path) -> Path:
    """The organization's export, as anybody downloads it."""
    async with running.edge() as edge:
        slug = running.settings["AMPLY_ORGANIZATION"]
        status, content = await edge.get(f"/v1/public/organizations/{slug}/ledger/export")
    assert status == 200, content[:500]
    path.write_bytes(content)
    return path


@dataclass(frozen=True)
class Before:
    """What was true when a test began; `promised` are gifts of others that may be recorded yet."""

    recorded: Mapping[str, int]
    promised: frozenset[str]


async def before(running: Running) -> Before:
    """What is true now. A test that fails leaves gifts behind, which fail no test after it."""
    recorded = await recorded_gifts(running)
    rows = await running.fetch("SELECT donation FROM edge.requests")
    return Before(recorded, frozenset(row["donation"] for row in rows) - recorded.keys())


async def recorded_gifts(running: Running) -> dict[str, int]:
    """Every gift in the ledger with its income in minor units; fails when one is there twice."""
    rows = await running.fetch(
        "SELECT subject, bytes FROM read.entries WHERE kind = 'donation' ORDER BY index"
    )
    recorded: dict[str, int] = {}
    for row in rows:
        assert row["subject"] not in recorded, f"{row['subject']} is recorded twice"
        postings = json.loads(row["bytes"])["money"]["postings"]
        income = [int(one["amount"]) for one in postings if one["account"] == "Income:Donations"]
        recorded[row["subject"]] = -sum(income)
    return recorded


async def assert_ledger_holds_exactly(
    running: Running, donations: Mapping[str, int], then: Before
) -> None:
    """These gifts and those before, each once, by amount; the audit of the whole log; the
    organization's export.
    """
    await checkpoint_covers_everything(running)
    recorded = await recorded_gifts(running)
    ours = {gift: amount for gift, amount in recorded.items() if gift not in then.promised}
    assert ours == {**then.recorded, **donations}
    log = running.data.public / "log" / "0"
    await amply_verify("log", log, "--key", running.vkey_file)
    path = await export(running, running.data.path / "export.jsonl")
    result = await amply_verify("export", path, "--key", running.vkey_file)
    assert -income_of(result) == sum(recorded.values())


def income_of(result: Mapping[str, Any]) -> int:
    """The verifier's recomputed balance of Income:Donations, over funds."""
    return sum(
        int(balance["amount"])
        for balance in result["balances"]
        if balance["account"] == "Income:Donations"
    )


async def assert_receipts_verify(running: Running, identifiers: Iterable[str]) -> None:
    """Every receipt of these donations verifies; the first also by the command itself."""
    trust = Trust(parse_verifier_key(running.vkey_file.read_text().strip()))
    async with running.edge() as edge:
        for number, identifier in enumerate(identifiers):
            content = await edge.receipt(identifier)
            verify_receipt(content, trust)  # RefusedError with its step when it does not hold.
            if number == 0:
                path = running.data.receipts / f"{identifier}.tlog-proof"
                path.write_bytes(content)
                await amply_verify("receipt", path, "--key", running.vkey_file)
