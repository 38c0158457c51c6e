"""`amply refund` against a real edge; what payments would tell is told by the test."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.edge.stand import Served, Stand, until
from tests.edge.test_refunds import Given

pytestmark = pytest.mark.asyncio


async def amply(given: Given, *arguments: str) -> tuple[int, str]:
    """The command's status, and all that it said."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from deploy.cli import main; main()", "refund", given.donation),
        *arguments,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "AMPLY_URL": given.edge.url, "AMPLY_API_KEY": given.secret},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, " ".join(output.decode().split())


async def outcome(given: Given, **changes: Any) -> None:
    """What payments tells of the refund that was asked for last."""

    async def asked() -> Any:
        rows = await given.stand.fetch(
            "SELECT id, amount_minor FROM edge.refund_requests AS q WHERE donation = $1"
            " AND NOT EXISTS (SELECT FROM donations.refunds AS r WHERE r.id = q.id)",
            given.donation,
        )
        return rows[0] if rows else None

    row = await until(asked, "a refund is asked for")
    amount = row["amount_minor"] or 1250
    await given.tell(given.refunded(refund=row["id"], amount_minor=amount, **changes))


@pytest.mark.parametrize(
    ("told", "status", "says"),
    [
        ({}, 0, "EUR 12.50 is succeeded"),
        ({"status": "failed", "code": "declined"}, 1, "is failed (declined)"),
        ({"status": "refused", "code": "dispute_open"}, 1, "is refused (dispute_open)"),
        ({"status": "requires_action"}, 3, "is requires_action"),
    ],
)
async def test_the_status_tells_what_came_of_it(
    stand: Stand, edge: Served, told: dict[str, Any], status: int, says: str
) -> None:
    given = await Given(stand, edge).prepare()
    (ended, said), _ = await asyncio.gather(
        amply(given, "--amount", "12.50"), outcome(given, **told)
    )
    assert (ended, says in said) == (status, True), said


async def test_what_is_left_is_refunded_and_no_more(stand: Stand, edge: Served) -> None:
    given = await Given(stand, edge).prepare()
    await asyncio.gather(amply(given, "--amount", "12.50"), outcome(given))
    ended, said = await amply(given, "--amount", "12.51")
    assert (ended, "exceeds_refundable" in said) == (1, True), said
    ended, said = await amply(given, "--amount", "12,50")
    assert (ended, "not an amount" in said) == (2, True), said
    (ended, said), _ = await asyncio.gather(amply(given, "--reason", "duplicate"), outcome(given))
    assert (ended, "EUR 12.50 is succeeded" in said) == (0, True), said
    assert (await given.shown())["standing"] == "refunded"
