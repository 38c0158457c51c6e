"""What the running writer records by itself, judged by the real verifier."""

import io
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

from amply_verify import canonical
from amply_verify.export import ExportReport, verify_export
from amply_verify.note import parse_verifier_key
from amply_verify.tree import leaf_hash, node_reader, prove_inclusion
from amply_verify.trust import Trust
from ledger import export
from ledger.entry import Request
from ledger.export_entry import StoredEntry
from ledger.store import pen
from ledger.tiles import TileFolder
from tests.ledger.database import append, until
from tests.ledger.making import ORIGIN, donation, name
from tests.ledger.making import genesis as genesis_request
from tests.workers.ledger_stand import Stand, entry_id, genesis, gift

DAY = timedelta(days=1)
VISIBILITIES = ("public_full", "public_aggregated", "internal_only")


def organizations() -> list[str]:
    number = random.SystemRandom().getrandbits(64)
    return [name("org", f"{letter}{number}") for letter in "PAB"]


async def record_at(stand: Stand, moment: datetime, *requests: Request) -> None:
    """Let the log have a past that the writer comes to."""
    async with stand.database.connect("bookkeeping") as connection:
        taken = await pen.take(connection, 0, ORIGIN, "test")
        await append(connection, taken, requests, moment)


async def kinds(stand: Stand) -> list[str]:
    rows = await stand.database.fetch("SELECT kind FROM ledger.entries ORDER BY index")
    return [row["kind"] for row in rows]


async def test_a_census_is_recorded_once_a_day_and_the_audit_agrees(stand: Stand) -> None:
    platform, a, b = organizations()
    old = [genesis_request(platform), genesis_request(a), donation(a, f"of {a}")]
    await record_at(stand, datetime.now(UTC) - DAY, *old)
    writer = await stand.start("bookkeeping")
    await stand.recorded(4)
    messages = [genesis(b), gift(b, 1)]
    await stand.publish(messages)
    recorded = await stand.recorded(6)
    assert recorded[4:] == [entry_id(one) for one in messages]
    await stand.stop(writer)
    await stand.start("bookkeeping")
    await stand.publish([gift(b, 2)])
    await stand.recorded(7)
    await stand.start("checkpoints")
    await stand.published(7)
    report = stand.audit()
    assert (report.censuses, report.organizations) == (1, 3)
    assert (await kinds(stand)).count("census") == 1


def gifts(organization: str, count: int, visibility: str) -> list[Request]:
    return [
        donation(organization, f"{organization}{visibility}{number}", 100 + number)._replace(
            visibility=visibility
        )
        for number in range(count)
    ]


async def test_statements_and_census_are_what_the_verifier_computes(stand: Stand) -> None:
    platform, a, b = organizations()
    now = datetime.now(UTC)
    last_month = now.replace(day=1) - DAY
    month_before = last_month.replace(day=1) - DAY
    old = [genesis_request(one) for one in (platform, a, b)]
    old += [one for visibility in VISIBILITIES for one in gifts(a, 3, visibility)]
    await record_at(stand, month_before, *old, *gifts(b, 2, "public_aggregated"))
    await record_at(
        stand, last_month, *gifts(b, 1, "public_full"), *gifts(platform, 1, "internal_only")
    )
    await record_at(stand, now, donation(a, f"{a} now"))
    before = len(await kinds(stand))
    await stand.start("books")
    writer = await stand.start("bookkeeping")
    await until(
        lambda: stand.database.value(
            "SELECT count(*) = 2 FROM ledger.entries WHERE kind = 'statement'"
        ),
        "two statements",
    )
    this_month = now.date().replace(day=1)
    settled = "SELECT month = $1 FROM ledger.stated"
    await until(lambda: stand.database.value(settled, this_month), "all months are settled")
    assert sorted((await kinds(stand))[before:]) == ["census", "statement", "statement"]
    await stand.stop(writer)
    again = "UPDATE ledger.stated SET month = $1, last = ''"
    await stand.database.fetch(again, month_before.date().replace(day=1))
    await stand.start("bookkeeping")
    await until(lambda: stand.database.value(settled, this_month), "all months are looked at again")
    assert len(await kinds(stand)) == before + 3, "a repeated attempt finds itself recorded"
    await stand.start("checkpoints")
    await stand.published(before + 3)
    assert stand.audit().censuses == 1
    periods = {}
    for organization in (a, b, platform):
        report = await verified_export(stand, organization)
        assert report.census_given
        assert not report.figures.partial
        periods[organization] = [one["period"] for _, one in report.figures.statements]
    assert periods == {a: [f"{month_before:%Y-%m}"], b: [f"{last_month:%Y-%m}"], platform: []}


async def verified_export(stand: Stand, organization: str) -> ExportReport:
    """An export with all openings and the census, as `amply-verify export` judges it."""
    rows = await stand.database.fetch(
        "SELECT index, id, bytes FROM ledger.entries WHERE organization = $1 ORDER BY seq",
        organization,
    )
    openings: dict[int, dict[str, bytes]] = {}
    for row in rows:
        found = await stand.database.fetch(
            "SELECT section, plain FROM ledger.openings WHERE entry_id = $1", row["id"]
        )
        openings[row["index"]] = {one["section"]: one["plain"] for one in found if one["plain"]}
    note = stand.checkpoint()
    size = int(note.splitlines()[1])
    proofs = TileFolder(stand.folder).tree(size)
    head = rows[-1]["index"]
    first = json.loads(export.first_line(organization, len(rows), head, note, proofs))
    first["census"] = await census(stand, organization, size)
    stored = [StoredEntry(row["index"], row["bytes"]) for row in rows]
    lines = export.lines(stored, openings, ("money", "details"))
    data = canonical.encode(first) + b"\n" + b"".join(lines)
    key = parse_verifier_key((stand.folder / "vkey").read_text().strip())
    return verify_export(io.BytesIO(data), Trust(key), organization)


async def census(stand: Stand, organization: str, size: int) -> dict[str, Any]:
    """The newest census, and the proof that the organization is in it."""
    found = await stand.database.fetch(
        "SELECT index, bytes FROM ledger.entries WHERE kind = 'census' ORDER BY index DESC LIMIT 1"
    )
    index, data = found[0]
    heads = await stand.database.fetch(
        "SELECT DISTINCT ON (organization) organization, seq, leaf_hash FROM ledger.entries"
        " WHERE index < $1 ORDER BY organization, seq DESC",
        index,
    )
    names = [row["organization"] for row in heads]
    leaves = [
        leaf_hash(canonical.encode({"head": leaf.hex(), "org": org, "seq": seq}))
        for org, seq, leaf in heads
    ]
    member = names.index(organization)
    spelled = [
        canonical.to_base64(one)
        for one in prove_inclusion(member, len(leaves), node_reader(leaves))
    ]
    proof = TileFolder(stand.folder).tree(size).prove_inclusion(index, size)
    return {
        "entry": data.decode(),
        "index": index,
        "member": {"index": member, "proof": spelled},
        "proof": [canonical.to_base64(one) for one in proof],
    }


async def test_own_entries_that_the_database_refuses_stop_nobody(stand: Stand) -> None:
    platform, a, _ = organizations()
    await record_at(stand, datetime.now(UTC) - DAY, genesis_request(platform))
    await stand.database.fetch(
        "ALTER TABLE ledger.entries ADD CONSTRAINT no_census CHECK (kind <> 'census')"
    )
    await stand.start("bookkeeping")

    async def refused() -> bool:
        return "own_entries_refused" in stand.events()

    await until(refused, "the census is refused")
    await stand.publish([genesis(a), gift(a, 1)])
    await stand.recorded(3)
    assert "writer_interrupted" not in stand.events()
    await stand.database.fetch("ALTER TABLE ledger.entries DROP CONSTRAINT no_census")
    await stand.recorded(4)
    assert (await kinds(stand))[-1] == "census"
