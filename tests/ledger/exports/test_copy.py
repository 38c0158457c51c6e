"""Copies: the same bytes whoever makes them, the count first, the manifest last."""

import hashlib
import json

import pytest

from ledger.export_copy import FORMATS, Copy, FormatName
from ledger.export_journal import ExportChangedError
from tests.ledger.exports.treasury import public, realistic, subject_of, write

TREASURY = realistic("public_full", "internal_only", rounds=3)


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_copy_is_the_same_however_it_is_paged(format_name: FormatName) -> None:
    first, manifest = write(format_name, TREASURY.entries, page=3)
    assert write(format_name, TREASURY.entries, page=1000) == (first, manifest)
    assert manifest["sha256"] == hashlib.sha256(first).hexdigest()
    assert manifest["bytes"] == len(first)
    assert manifest["entries"] == len(TREASURY.entries)


@pytest.mark.parametrize("format_name", ["beancount", "hledger"])
def test_a_journal_counts_first_and_ends_in_its_manifest(format_name: FormatName) -> None:
    journal, manifest = write(format_name, TREASURY.entries)
    above, last, _ = journal.rpartition(b"\n; manifest of the lines above: ")
    assert journal.startswith(b"; entries: %d\n" % len(TREASURY.entries))
    value = json.loads(journal[len(above) + len(last) :])
    assert value == {
        "bytes": len(above) + 1,
        "entries": manifest["entries"],
        "sha256": hashlib.sha256(above + b"\n").hexdigest(),
        "size": manifest["size"],
    }
    head = journal.partition(b"\n\n")[0].decode()
    assert f"; transactions: {manifest['figures']['transactions']}\n" in head
    assert ": income " in head and ", holds " in head
    assert all(line.startswith(";") for line in head.splitlines())


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_copy_of_fewer_entries_than_announced_has_no_end(format_name: FormatName) -> None:
    copy = Copy(format_name, subject_of(TREASURY.entries))
    if copy.needs_figures:
        copy.survey(TREASURY.entries)
    copy.head()
    copy.write(TREASURY.entries[:-1])
    with pytest.raises(RuntimeError, match=r"of \d+ entries were written"):
        copy.end()


def test_a_journal_whose_openings_changed_on_the_way_has_no_end() -> None:
    copy = Copy("beancount", subject_of(TREASURY.entries))
    copy.survey(TREASURY.entries)
    copy.head()
    copy.write(public(TREASURY.entries))
    with pytest.raises(ExportChangedError):
        copy.end()
