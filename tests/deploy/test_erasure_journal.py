"""The journal: on disk line by line, tolerant of a torn end, and of nothing else."""

import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.ledger.making import name
from workers.retention.journal import Erasure, Journal, JournalError, PersonErasure

MOMENT = datetime(2027, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)


def erasure(of: object) -> Erasure:
    return Erasure(name("org", of), name("prof", of), "gdpr-17", MOMENT)


def test_what_is_added_is_read_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "erasures.journal")
    assert journal.read() == []
    for number in range(3):
        journal.add(erasure(number))
    assert Journal(journal.path).read() == [erasure(number) for number in range(3)]
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600


def test_the_line_and_its_folder_are_synchronised_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synchronised: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synchronised.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    journal = Journal(tmp_path / "erasures.journal")
    journal.add(erasure(1))
    assert synchronised == [str(journal.path), str(tmp_path)]


@pytest.mark.parametrize("left", [1, 20, 100])
def test_a_line_that_a_crash_tore_is_no_erasure_and_the_next_takes_its_place(
    tmp_path: Path, left: int
) -> None:
    journal = Journal(tmp_path / "erasures.journal")
    journal.add(erasure(1))
    with journal.path.open("ab") as file:
        file.write(erasure(2).line()[:left])
    assert journal.read() == [erasure(1)]
    journal.add(erasure(3))
    assert journal.read() == [erasure(1), erasure(3)]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        erasure(1).line()[:40],
        erasure(1).line()[:-1].replace(b"prof_", b"don_"),
        erasure(1).line()[:-1].replace(b"org_", b"xxx_"),
        erasure(1).line()[:-1].replace(b"+00:00", b""),
        erasure(1).line()[:-1].replace(b'"basis"', b'"email"'),
        erasure(1).line()[:-1].replace(b'"gdpr-17"', b"17"),
    ],
)
def test_a_damaged_line_is_named_and_nothing_is_passed_over(tmp_path: Path, line: bytes) -> None:
    journal = Journal(tmp_path / "erasures.journal")
    journal.path.write_bytes(erasure(0).line() + line + b"\n" + erasure(2).line())
    with pytest.raises(JournalError, match="line 2 of"):
        journal.read()


def test_people_and_donors_have_lines_of_their_own(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "erasures.journal")
    person = PersonErasure(name("usr", 1), "gdpr-17", MOMENT)
    for one in (erasure(1), person, erasure(2)):
        journal.add(one)
    assert journal.read() == [erasure(1), erasure(2)]
    assert journal.read_people() == [person]
    journal.path.write_bytes(person.line().replace(b"usr_", b"prof_"))
    with pytest.raises(JournalError):
        journal.read_people()
