"""The check of everything finds every difference, and nothing where there is none."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from amply_verify.note import Signer
from amply_verify.source import open_log
from ledger.checkpoint import sign, verifier_key_file
from ledger.projection import Reader
from ledger.store import checking, checkpoints, pen, projections
from ledger.store.checking import Report
from ledger.tiles import Growth
from tests.engines import LoopThread
from tests.ledger.database import Database, append
from tests.ledger.making import NOON, ORIGIN, donation, genesis, name, refund

A, B, PLATFORM = (name("org", letter) for letter in "ABP")
#: As a superuser who wants to leave no trace would: triggers and constraints off.
UNGUARD = """
    ALTER TABLE ledger.entries DISABLE TRIGGER ALL;
    ALTER TABLE ledger.checkpoints DISABLE TRIGGER ALL;
    ALTER TABLE ledger.writers DISABLE TRIGGER ALL;
    ALTER TABLE ledger.entries DROP CONSTRAINT hash_of_bytes;
"""
SHOWN = "index = 3"
PUBLISHED = 290


async def fill(database: Database, folder: Path) -> None:
    """300 entries over some weeks in all visibilities, summed up to 280, published to 290."""
    kinds = ("public_full", "public_aggregated", "internal_only")
    gifts = [
        donation(A if number % 3 else B, number, visibility=kinds[number % 4 % 3])
        for number in range(296)
    ]
    requests = [genesis(PLATFORM), genesis(A), genesis(B), *gifts, refund(A, "r", name("ent", 1))]
    async with database.connect("bookkeeping") as connection:
        for start in range(0, 300, 30):
            held = await pen.take(connection, 0, ORIGIN, "test")
            moment = NOON + start * timedelta(hours=3)
            await append(connection, held, requests[start : start + 30], moment)
    async with database.connect("books") as connection:
        assert await projections.advance(connection, 0, 0, 280, Reader()) == 280
    await publish(database, folder)


async def publish(database: Database, folder: Path) -> None:
    signer = Signer(ORIGIN, bytes(32))
    rows = await database.fetch("SELECT bytes FROM ledger.entries ORDER BY index")
    growth = Growth()
    async with database.connect("checkpoints") as connection:
        for size in (100, PUBLISHED):
            files = growth.extend([row["bytes"] for row in rows[growth.size : size]])
            for file in files:
                path = folder / file.path
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.data)
            note = sign([signer], size, growth.root())
            head = checkpoints.Head(1, size, growth.root())
            await checkpoints.insert(connection, 0, head, note)
            await checkpoints.mark_published(connection, 0, size)
    (folder / "checkpoint").write_text(note)
    (folder / "vkey").write_bytes(verifier_key_file(str(signer.key)))


Kept = tuple[Database, Path]


@pytest.fixture(scope="module")
def kept(
    postgres_database: Callable[[], str],
    engine_loop: LoopThread,
    tmp_path_factory: pytest.TempPathFactory,
) -> Kept:
    """A ledger that no test of this module leaves changed."""
    database, folder = Database(postgres_database()), tmp_path_factory.mktemp("log")
    engine_loop.run(database.prepare())
    engine_loop.run(fill(database, folder))
    return database, folder


async def report_of(kept: Kept, *statements: str) -> Report:
    """The report on the database with these statements applied, which are then undone."""
    database, folder = kept
    async with database.connect() as connection:
        transaction = connection.transaction(isolation="repeatable_read")
        await transaction.start()
        try:
            for statement in statements:
                await connection.execute(statement)
            return await checking.check(connection, 0, ORIGIN, open_log(str(folder)))
        finally:
            await transaction.rollback()


async def test_all_of_it_agrees_for_the_role_that_checks(kept: Kept) -> None:
    database, folder = kept
    told: list[tuple[int, int]] = []
    async with database.connect("books") as connection:
        read = open_log(str(folder))
        report = await checking.check(
            connection, 0, ORIGIN, read, lambda done, size: told.append((done, size))
        )
    assert report.findings.kept == []
    assert (report.agrees, report.entries, report.organizations) == (True, 300, 3)
    assert report.published_size == PUBLISHED
    assert told[-1] == (300, 300)


async def test_an_empty_ledger_agrees(database: Database, tmp_path: Path) -> None:
    async with database.connect("books") as connection:
        for read in (None, open_log(str(tmp_path))):
            assert (await checking.check(connection, 0, ORIGIN, read)).agrees


#: What is done to the database -> codes that must be among the findings, words in a sentence.
TAMPERED: dict[str, tuple[str, str, str]] = {
    "an entry's bytes": (
        f"UPDATE ledger.entries SET bytes = replace(encode(bytes, 'escape'), '2500', '2600')::bytea"
        f" WHERE {SHOWN}",
        "leaf_hash",
        "is not what was hashed",
    ),
    "an entry's bytes and hash": (
        "UPDATE ledger.entries SET bytes = b, leaf_hash = sha256('\\x00'::bytea || b) FROM"
        " (SELECT id AS i, replace(encode(bytes, 'escape'), '2500', '2600')::bytea AS b"
        " FROM ledger.entries)"
        f" AS x WHERE i = id AND {SHOWN}",
        "checkpoint",
        "entries do not lead to the root that was signed",
    ),
    "an entry in the middle": (
        "DELETE FROM ledger.entries WHERE index = 123",
        "gap",
        "the entry at index 123 is missing",
    ),
    "the last entry": (
        "DELETE FROM ledger.entries WHERE index = 299",
        "gap",
        "the entry at index 299 is missing",
    ),
    "an entry past the end": (
        "UPDATE ledger.entries SET index = 300 WHERE index = 299",
        "size",
        "index 300 lies past the log's end",
    ),
    "an entry's kind": (
        f"UPDATE ledger.entries SET kind = 'grant' WHERE {SHOWN}",
        "column",
        "another kind in its row",
    ),
    "when an entry was recorded": (
        f"UPDATE ledger.entries SET recorded_at = recorded_at - interval '1 s' WHERE {SHOWN}",
        "column",
        "another recorded_at in its row",
    ),
    "a donor's seal": (
        f"UPDATE ledger.entries SET donor_seal = NULL WHERE {SHOWN}",
        "column",
        "another donor_seal in its row",
    ),
    "an opening of money": (
        "UPDATE ledger.openings SET plain = replace(encode(plain, 'escape'), '2500', '2600')::bytea"
        " WHERE section = 'money'",
        "opening",
        "has a wrong opening of money",
    ),
    "an opening that is gone": (
        "DELETE FROM ledger.openings WHERE section = 'details'",
        "opening",
        "has lost the opening of its details",
    ),
    "an opening of nothing": (
        f"INSERT INTO ledger.openings VALUES ('{A}', 'ent_0', 'details', '\\x00', NULL, NULL)",
        "opening",
        "openings that belong to no entry",
    ),
    "an opening of what is shown": (
        "INSERT INTO ledger.openings SELECT organization, id, 'details', '\\x00', NULL, NULL"
        " FROM ledger.entries WHERE index = 3",
        "opening",
        "an opening of details, which it does not seal",
    ),
    "a head": (
        f"UPDATE ledger.chains SET seq = 1 WHERE organization = '{A}'",
        "chain",
        f"the head of {A}: seq 1",
    ),
    "a head of nobody": (
        f"INSERT INTO ledger.chains VALUES ('{name('org', 'x')}', 0, 0, sha256(''))",
        "chain",
        "the entries give nothing",
    ),
    "a fund": (
        "UPDATE ledger.funds SET currency = 'USD'",
        "fund",
        f"{A} with USD is stored, the entries give {A} with EUR",
    ),
    "a fund that is gone": ("DELETE FROM ledger.funds", "fund", "nothing is stored"),
    "balances, still balanced": (
        "UPDATE ledger.balances SET amount = 2 * amount",
        "balance",
        f"{A} {name('fund', A)} Assets:Stripe EUR: ",
    ),
    "a sum of a day": (
        "UPDATE ledger.daily_sums SET amount = amount + 1 WHERE account LIKE 'Assets:%'",
        "daily_sums",
        "daily_sums of",
    ),
    "a sum of a day without entries": (
        "UPDATE ledger.daily_sums SET day = '2001-01-01' WHERE day = (SELECT max(day) FROM"
        " ledger.daily_sums)",
        "daily_sums",
        "of times with entries",
    ),
    "a figure of a month": (
        "UPDATE ledger.monthly_figures SET gifts = gifts + 1",
        "monthly_figures",
        "gifts",
    ),
    "a label": (
        f"INSERT INTO ledger.visibility_changes VALUES ('{name('ent', 1)}', '{A}', 'public_full',"
        " NULL, 'ent_x')",
        "label",
        "public_full is kept, its last change says None",
    ),
    "the writer's tree": (
        "UPDATE ledger.writers SET frontier = sha256('') || substr(frontier, 33)",
        "tree",
        "the stored tree",
    ),
    "the writer's time": (
        "UPDATE ledger.writers SET last_time = now()",
        "time",
        "the writer's last time",
    ),
    "a signed root": (
        "UPDATE ledger.checkpoints SET root = sha256('') WHERE size = 100",
        "checkpoint",
        "the first 100 entries do not lead to the root that was signed",
    ),
    "the newest signed root": (
        f"UPDATE ledger.checkpoints SET root = sha256('') WHERE size = {PUBLISHED}",
        "published",
        "is not the one signed",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_it_finds(kept: Kept, what: str) -> None:
    statement, code, words = TAMPERED[what]
    report = await report_of(kept, UNGUARD, statement)
    assert not report.agrees
    found = [one.message for one in report.findings.kept if one.code == code]
    assert any(words in message for message in found), report.findings.kept


async def test_a_donor_who_was_forgotten_is_no_difference(kept: Kept) -> None:
    report = await report_of(kept, "DELETE FROM ledger.openings WHERE section = 'donor'")
    assert report.agrees, report.findings.kept


async def test_findings_are_bounded_and_all_are_counted(kept: Kept) -> None:
    report = await report_of(kept, "DELETE FROM ledger.openings WHERE section = 'money'")
    kept_of_openings = [one for one in report.findings.kept if one.code == "opening"]
    assert len(kept_of_openings) == 20
    assert report.findings.counts["opening"] > 100


FILES: dict[str, tuple[str, Callable[[Path], Any], str]] = {
    "a tile": (
        "tile/0/000",
        lambda path: path.write_bytes(bytes(32) + path.read_bytes()[32:]),
        "tile/0/000 is not made of the stored entries",
    ),
    "a bundle": (
        "tile/entries/000",
        lambda path: path.write_bytes(path.read_bytes().replace(b"2500", b"2600")),
        "tile/entries/000 is not made of the stored entries",
    ),
    "a partial bundle": (
        "tile/entries/001.p/34",
        lambda path: path.unlink(),
        "tile/entries/001.p/34 is missing",
    ),
    "a partial tile above": (
        "tile/1/000.p/1",
        lambda path: path.write_bytes(bytes(32)),
        "tile/1/000.p/1 is not made",
    ),
    "a signature": (
        "checkpoint",
        lambda path: path.write_text(path.read_text().replace(f"\n{PUBLISHED}\n", "\n289\n")),
        "the published checkpoint is not right",
    ),
    "another tree of the same size": (
        "checkpoint",
        lambda path: path.write_text(sign([Signer(ORIGIN, bytes(32))], PUBLISHED, bytes(32))),
        "do not lead to the root of the published checkpoint",
    ),
    "more than there is": (
        "checkpoint",
        lambda path: path.write_text(sign([Signer(ORIGIN, bytes(32))], 301, bytes(32))),
        "301 entries are published, the database holds 300",
    ),
    "less than there was": (
        "checkpoint",
        lambda path: path.write_text(sign([Signer(ORIGIN, bytes(32))], 10, bytes(32))),
        "size 290 was published, the files show 10",
    ),
    "nothing": (
        "checkpoint",
        lambda path: path.unlink(),
        "size 290 was published, no file shows it",
    ),
    "no key": ("vkey", lambda path: path.unlink(), "there is no vkey beside it"),
}


@pytest.mark.parametrize("what", FILES)
async def test_it_finds_in_what_is_published(kept: Kept, what: str) -> None:
    path, change, words = FILES[what]
    file = kept[1] / path
    before = file.read_bytes()
    try:
        change(file)
        report = await report_of(kept)
    finally:
        file.write_bytes(before)
    found = [one.message for one in report.findings.kept if one.code == "published"]
    assert any(words in message for message in found), report.findings.kept
