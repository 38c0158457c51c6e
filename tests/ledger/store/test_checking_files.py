"""The check of everything finds every difference in what is published."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.check import published_log
from ledger.checkpoint import sign
from ledger.store import checking
from tests.ledger.making import ORIGIN
from tests.ledger.store.checked import PUBLISHED, SIGNER, Kept, report_of

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
        lambda path: path.write_text(sign([SIGNER], PUBLISHED, bytes(32))),
        "do not lead to the root of the published checkpoint",
    ),
    "more than there is": (
        "checkpoint",
        lambda path: path.write_text(sign([SIGNER], 301, bytes(32))),
        "301 entries are published, the database holds 300",
    ),
    "less than there was": (
        "checkpoint",
        lambda path: path.write_text(sign([SIGNER], 10, bytes(32))),
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


async def test_a_folder_that_is_gone_is_a_difference_and_not_a_way_out(kept: Kept) -> None:
    database, folder = kept
    async with database.connect("books") as connection:
        read = published_log(str(folder / "elsewhere"))
        report = await checking.check(connection, 0, ORIGIN, read)
    assert [one.message for one in report.findings.kept] == [
        "size 290 was published, no file shows it"
    ]
