"""What anyone sees: figures, entries by visibility, the export, the log's files."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from contracts.permissions import RelationshipChange
from tests.edge.scribe import VKEY, Scribe, folder
from tests.edge.stand import Served, Stand, gift, until

pytestmark = pytest.mark.asyncio


@pytest.fixture
def scribe(stand: Stand) -> Scribe:
    return Scribe(stand)


async def slug_of(stand: Stand, organization: str) -> str:
    rows = await stand.fetch("SELECT slug FROM edge.organizations WHERE id = $1", organization)
    return str(rows[0]["slug"])


async def verify_export(path: Path, organization: str, *more: str) -> dict[str, object]:
    arguments = ("export", str(path), "--key", VKEY, "--org", organization, "--json", *more)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "amply_verify", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    assert process.returncode == 0, (output, errors)
    report: dict[str, object] = json.loads(output)
    return report


async def test_figures_entries_and_export(
    stand: Stand, edge: Served, scribe: Scribe, tmp_path: Path
) -> None:
    registered = await stand.register()
    slug = await slug_of(stand, registered.id)
    base = f"/v1/public/organizations/{slug}"
    for number in range(12):
        body = gift(registered.id, amount_minor=100 + number)
        assert (await edge.donate(body, registered.key.secret)).status == 202
    await scribe.record(registered.id)
    size = await scribe.publish()
    figures = await edge.get(base)
    total = sum(100 + number for number in range(12))
    assert figures.json["entries"] == 13
    sums = {"income_minor": str(total), "expenses_minor": "0"}
    assert figures.json["totals"] == [
        {
            "currency": "EUR",
            **sums,
            "shown": sums,
            "folded": {"income_minor": "0", "expenses_minor": "0"},
            "entries_waiting": 0,
        }
    ]
    assert figures.headers["Access-Control-Allow-Origin"] == "*"
    again = await edge.get(base, If_None_Match=figures.headers["ETag"])
    assert again.status == 304
    seen, cursor = [], ""
    while True:
        page = (await edge.get(f"{base}/ledger?limit=5{cursor}")).json
        assert len(page["data"]) <= 5
        seen += page["data"]
        if not page["has_more"]:
            assert page["next_cursor"] is None
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [entry["seq"] for entry in seen] == list(range(13))
    assert [entry["kind"] for entry in seen] == ["genesis"] + ["donation"] * 12
    assert all(entry["openings"] == {} for entry in seen)
    export = await edge.get(f"{base}/ledger/export")
    assert f'filename="{slug}-ledger-{size}.jsonl"' in export.headers["Content-Disposition"]
    path = tmp_path / "export.jsonl"
    path.write_bytes(export.body)
    await verify_export(path, registered.id)
    lines = export.body.decode().splitlines()[1:]
    assert [json.loads(line)["entry"] for line in lines] == [entry["entry"] for entry in seen]
    assert b"Ada" not in export.body


async def test_an_export_is_of_one_checkpoint_and_proves_an_older_one(
    stand: Stand, edge: Served, scribe: Scribe, tmp_path: Path
) -> None:
    registered = await stand.register()
    base = f"/v1/public/organizations/{await slug_of(stand, registered.id)}"
    await edge.donate(gift(registered.id), registered.key.secret)
    await scribe.record(registered.id)
    old_size = await scribe.publish()
    old = tmp_path / "checkpoint"
    old.write_bytes((folder(stand) / "checkpoint").read_bytes())
    await edge.donate(gift(registered.id), registered.key.secret)
    await scribe.record(registered.id)
    # Recorded but not covered: not in the export yet.
    assert len((await edge.get(f"{base}/ledger/export")).body.splitlines()) == 1 + 2
    await scribe.publish()

    async def grown() -> bytes | None:
        answer = await edge.get(f"{base}/ledger/export?since={old_size}")
        return answer.body if len(answer.body.splitlines()) == 1 + 3 else None

    path = tmp_path / "export.jsonl"
    path.write_bytes(await until(grown, "the export has three entries"))
    await verify_export(path, registered.id, "--old", str(old))


async def test_a_delayed_gift_opens_when_its_day_has_come_and_not_before(
    stand: Stand, edge: Served, scribe: Scribe, tmp_path: Path
) -> None:
    registered = await stand.register(visibility="delayed_public")
    base = f"/v1/public/organizations/{await slug_of(stand, registered.id)}"
    await edge.donate(gift(registered.id), registered.key.secret)
    # The second gift's day is over already: its organization's delay is set back before it.
    await stand.fetch(
        "UPDATE messages.outbox SET value = convert_to(regexp_replace(convert_from(value, 'UTF8'),"
        ' \'"public_after":"[^"]*"\', \'"public_after":"2020-01-01T00:00:00Z"\'), \'UTF8\')'
        " WHERE topic = 'donations.requested.v1' AND position = (SELECT max(position)"
        " FROM messages.outbox)"
    )
    await edge.donate(gift(registered.id), registered.key.secret)
    await scribe.record(registered.id)
    await scribe.publish()
    entries = (await edge.get(f"{base}/ledger")).json["data"]
    assert [sorted(entry["openings"]) for entry in entries] == [[], ["details", "money"], []]
    path = tmp_path / "export.jsonl"
    path.write_bytes((await edge.get(f"{base}/ledger/export")).body)
    await verify_export(path, registered.id)


async def test_sealed_gifts_stay_sealed_for_the_public(
    stand: Stand, edge: Served, scribe: Scribe
) -> None:
    registered = await stand.register(visibility="internal_only")
    base = f"/v1/public/organizations/{await slug_of(stand, registered.id)}"
    await edge.donate(gift(registered.id, amount_minor=987_654), registered.key.secret)
    await scribe.record(registered.id)
    await scribe.publish()
    entries = (await edge.get(f"{base}/ledger")).json["data"]
    assert [entry["openings"] for entry in entries] == [{}, {}]
    assert b"987654" not in (await edge.get(f"{base}/ledger/export")).body
    # Nor does a total tell, before and after.
    figures = (await edge.get(base)).json
    assert figures["totals"] == []
    assert figures["visibility"]["recorded"]["internal_only"] == 1


@pytest.mark.parametrize(
    "cursor", ["x", "c2VxOi0x", "c2VxOjA=", "c2VxOjE4NDQ2NzQ0MDczNzA5NTUxNjE2"]
)
async def test_a_cursor_of_ones_own_is_refused(stand: Stand, edge: Served, cursor: str) -> None:
    registered = await stand.register()
    slug = await slug_of(stand, registered.id)
    answer = await edge.get(f"/v1/public/organizations/{slug}/ledger?cursor={cursor}")
    assert (answer.status, answer.json["param"]) == (422, "cursor")


async def test_an_organization_that_publishes_nothing_is_not_found(
    stand: Stand, edge: Served
) -> None:
    hidden = await stand.register(with_permissions=False)
    base = f"/v1/public/organizations/{await slug_of(stand, hidden.id)}"
    for path in (base, f"{base}/ledger", f"{base}/ledger/export"):
        answer = await edge.get(path)
        assert (answer.status, answer.code) == (404, "organization_not_found")
    await stand.change_permissions(
        (
            RelationshipChange(
                operation="touch",
                resource=f"organization:{hidden.id}",
                relation="public_ledger",
                subject="visitor:*",
            ),
        )
    )

    async def is_shown() -> bool:
        return (await edge.get(base)).status == 200

    await until(is_shown, "the organization is public")


async def test_the_logs_files_are_served_as_they_are_cached(
    stand: Stand, edge: Served, scribe: Scribe
) -> None:
    registered = await stand.register()
    await scribe.record(registered.id)
    size = await scribe.publish()
    (folder(stand) / "secret").write_text("not a file of the log")
    width = "" if size % 256 == 0 else f".p/{size % 256}"
    for path, caching in (
        ("checkpoint", "max-age=1"),
        ("vkey", "max-age=300"),
        (f"tile/0/{size // 256:03d}{width}", "immutable"),
        (f"tile/entries/{size // 256:03d}{width}", "immutable"),
    ):
        answer = await edge.get(f"/log/0/{path}")
        assert answer.status == 200
        assert answer.body == (folder(stand) / path).read_bytes()
        assert caching in answer.headers["Cache-Control"]
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
    for path in ("secret", ".lock", "tile/0/999", "tile/0", "tile/0/000.p", "checkpoint/"):
        answer = await edge.get(f"/log/0/{path}")
        assert (answer.status, answer.headers["Cache-Control"]) == (404, "no-store")
