"""A gift given back by the command, through every process, to its entries in the ledger."""

import asyncio
import json
import sys

from tests.acceptance.test_donation import donate
from tests.platform import Running, until


async def amply(running: Running, *arguments: str) -> tuple[int, str]:
    """A command of ours on this platform: its status, and all that it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from deploy.cli import main; main()"),
        *(*arguments, "--data", str(running.data.path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, " ".join(output.decode().split())


async def test_the_command_gives_back_a_part_and_then_the_rest(running: Running) -> None:
    gift = str((await donate(running))["id"])
    status, said = await amply(running, "refund", gift, "--amount", "12.50")
    assert (status, "USD 12.50 is succeeded" in said) == (0, True), said
    status, said = await amply(running, "refund", gift, "--amount", "12.51")
    assert (status, "exceeds_refundable" in said) == (1, True), said
    status, said = await amply(running, "refund", gift, "--reason", "duplicate")
    assert (status, "USD 12.50 is succeeded" in said) == (0, True), said
    status, said = await amply(running, "refund", gift, "--amount", "1,50")
    assert (status, "not an amount" in said) == (2, True), said
    async with running.edge() as edge:
        shown = await edge.donation(gift)
    assert (shown["status"], shown["standing"]) == ("recorded", "refunded")

    async def booked() -> list[int]:
        rows = await running.fetch("SELECT bytes FROM read.entries WHERE kind = 'refund'")
        entries = [json.loads(row["bytes"]) for row in rows]
        lines = [
            line
            for entry in entries
            if entry["details"]["donation"] == gift
            for line in entry["money"]["postings"]
        ]
        found = [int(one["amount"]) for one in lines if one["account"] == "Income:Donations"]
        return found if len(found) == 2 else []

    assert await until(booked, what="both refunds are recorded") == [1250, 1250]
