"""The check of everything finds each difference in what is stored, and none where there is none."""

from pathlib import Path

import pytest

from amply_verify.source import open_log
from ledger.store import checking
from tests.ledger.database import Database
from tests.ledger.making import ORIGIN, name
from tests.ledger.store.checked import PUBLISHED, A, Kept, report_of

#: As a superuser who wants to leave no trace would: triggers and constraints off.
UNGUARD = """
    ALTER TABLE ledger.entries DISABLE TRIGGER ALL;
    ALTER TABLE ledger.checkpoints DISABLE TRIGGER ALL;
    ALTER TABLE ledger.writers DISABLE TRIGGER ALL;
    ALTER TABLE ledger.entries DROP CONSTRAINT hash_of_bytes;
"""
SHOWN = "index = 3"


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
