"""A story by command, with the whole platform: its ledger becomes the one that was printed."""

import json
from collections import Counter
from typing import Any

import pytest

from tests.acceptance.test_refund import amply
from tests.platform import Running, until

Plain = tuple[str, tuple[tuple[str, str, int], ...]]
ENTRIES = "SELECT id, kind, bytes FROM read.entries"


def plain(kind: str, postings: list[dict[str, Any]], amount: str) -> Plain:
    lines = [(one["account"], one["currency"], int(one[amount])) for one in postings]
    return kind, tuple(sorted(lines))


@pytest.mark.parametrize("name", ["donation-refunded-partially", "dispute-partial"])
async def test_the_platform_books_what_the_command_printed(running: Running, name: str) -> None:
    before = {row["id"] for row in await running.fetch(ENTRIES)}
    status, said = await amply(running, "sandbox", "trigger", name, "--seed", "5", "--json")
    assert status == 0, said
    told = json.loads(said)
    must_follow = Counter(
        plain(entry["kind"], entry["postings"], "amount_minor") for entry in told["entries"]
    )
    assert sum(must_follow.values()) == 3

    async def booked() -> bool:
        rows = [row for row in await running.fetch(ENTRIES) if row["id"] not in before]
        entries = [(row["kind"], json.loads(row["bytes"])) for row in rows]
        found = Counter(
            plain(kind, entry["money"]["postings"], "amount")
            for kind, entry in entries
            if "postings" in entry.get("money", {})
        )
        return found >= must_follow

    assert await until(booked, what="the ledger is the one that was printed")
