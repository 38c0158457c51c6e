"""A sealed gift is shown step by step, through the running platform, and never hidden again."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from edge.times import spell_time
from tests.acceptance.test_operations import amply
from tests.checks import amply_verify, checkpoint_covers_everything, export
from tests.platform import Running, all_recorded, give, until


async def sealed_gift(running: Running) -> str:
    """The entry of a new gift by somebody who wants to be anonymous."""
    async with running.edge() as edge:
        body = {
            "organization": running.settings["AMPLY_ORGANIZATION"],
            "amount_minor": 4242,
            "currency": "USD",
            "payment_method": "pm_card_visa",
            "donor": {"name": "Nobody Knows", "display": "anonymous"},
        }
        answer = await edge.donate(body, "shown-step-by-step")
    donation = str(answer.donation["id"])
    await all_recorded(running, {donation: 4242}, 60)
    [row] = await running.fetch("SELECT id FROM read.entries WHERE subject = $1", donation)
    return str(row["id"])


async def openings(running: Running, entry: str) -> Any:
    async with running.edge() as edge:
        slug = running.settings["AMPLY_ORGANIZATION"]
        path = f"/v1/public/organizations/{slug}/ledger/entries/{entry}/openings"
        status, content = await edge.get(path)
    assert status == 200, content
    assert b"Nobody Knows" not in content
    return json.loads(content)


async def test_a_sealed_gift_is_widened_and_opens_on_its_day(
    running: Running, tmp_path: Path
) -> None:
    entry, slug = await sealed_gift(running), running.settings["AMPLY_ORGANIZATION"]
    command = ("ledger", "visibility", "--organization", slug, "--entry", entry, "--to")
    assert (await openings(running, entry))["openings"] == {}
    day = spell_time(datetime.now(UTC) + timedelta(days=10))
    delayed = (*command, "delayed_public", "--public-after", day)
    assert f"delayed_public from {day} on, recorded as ent_" in await amply(running, *delayed)
    shown = await openings(running, entry)
    assert (shown["visibility"], shown["public_after"]) == ("delayed_public", day)
    assert shown["openings"] == {}
    for narrower in ((*command, "public_aggregated"), delayed):
        assert "shows as much already" in await amply(running, *narrower, status=1)
    assert "The business clock says" in await amply(running, "clock", "advance", "--days", "11")
    shown = await openings(running, entry)
    assert sorted(shown["openings"]) == ["details", "money"]
    amounts = {one["amount"] for one in shown["openings"]["money"]["value"]["postings"]}
    assert "-4242" in amounts
    await checkpoint_covers_everything(running)
    path = await export(running, tmp_path / "export.jsonl")
    await amply_verify("export", path, "--key", running.vkey_file)


async def test_public_sums_hold_shown_gifts_and_wait_with_sealed_ones(running: Running) -> None:
    entry, shown = await sealed_gift(running), await give(running, 3, prefix="in-the-sums")
    await all_recorded(running, shown, 60)

    async def figures() -> Any:
        async with running.edge() as edge:
            slug = running.settings["AMPLY_ORGANIZATION"]
            status, content = await edge.get(f"/v1/public/organizations/{slug}")
        assert status == 200, content
        return json.loads(content)

    async def summed_up() -> Any:
        found = await figures()
        counts = found["visibility"]["recorded"]
        [totals] = found["totals"] or [{"shown": {"income_minor": "0"}, "entries_waiting": 0}]
        rows = await running.fetch(
            "SELECT -sum((line->>'amount')::bigint) AS income FROM read.entries,"
            " jsonb_path_query(convert_from(bytes, 'UTF8')::jsonb, '$.money.postings[*]') AS line"
            " WHERE line->>'account' LIKE 'Income:%'"
            " AND organization = (SELECT id FROM read.organizations WHERE slug = $1)",
            running.settings["AMPLY_ORGANIZATION"],
        )
        is_complete = totals["shown"]["income_minor"] == str(rows[0]["income"])
        waits = totals["entries_waiting"] == counts["public_aggregated"] >= 1
        return found if is_complete and waits else None

    found = await until(summed_up, what=f"everything but {entry} is in the sums")
    assert found["totals"][0]["folded"]["income_minor"] == "0"


async def test_what_cannot_be_is_said_in_a_sentence(running: Running) -> None:
    slug, nobody = running.settings["AMPLY_ORGANIZATION"], "ent_" + "0" * 26
    command = ("ledger", "visibility", "--organization", slug, "--entry", nobody, "--to")
    assert "has no entry" in await amply(running, *command, "public_full", status=1)
    assert "is one of" in await amply(running, *command, "secret", status=2)
    assert "--public-after" in await amply(running, *command, "delayed_public", status=2)
    wrong = (*command, "delayed_public", "--public-after", "tomorrow")
    assert "is not a time" in await amply(running, *wrong, status=2)
