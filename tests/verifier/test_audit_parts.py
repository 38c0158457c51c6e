"""A log judged in parts, by one process or by two, gets one verdict: the first step that fails."""

from collections.abc import Callable
from typing import Any

import pytest

from amply_verify import audit as auditing
from amply_verify.audit import audit_log
from amply_verify.errors import RefusedError
from amply_verify.trust import Trust
from tests.verifier.conftest import typeid

PLATFORM, ONE, OTHER = (typeid("org", number) for number in (1, 7, 5))
SIZE = 800
EARLY = "2026-02-28T00:00:00.000000Z"


def _base(log: Any) -> None:
    log.genesis(PLATFORM)
    log.genesis(ONE)
    log.genesis(OTHER)
    while len(log.entries) < SIZE:
        number = len(log.entries)
        if number in (250, 300, 700):
            log.census(PLATFORM)
        else:
            log.donation((ONE, OTHER)[number % 2], open_donor=number % 3 == 0)


def _changed(*changes: tuple[int, dict[str, Any]]) -> Callable[[Any], None]:
    """The entries at some indexes have other fields, and all that follows is built on them."""

    def build(log: Any) -> None:
        add = log.add

        def changed(org: str, kind: str, open_donor: bool = False, **given: Any) -> str:
            wanted = {"kind": kind, "open_donor": open_donor} | given
            wanted |= dict(changes).get(len(log.entries), {})
            return str(
                add(org, **{name: item for name, item in wanted.items() if item is not None})
            )

        log.add = changed
        _base(log)

    return build


def _change(index: int, **fields: Any) -> Callable[[Any], None]:
    return _changed((index, fields))


def _second_chain(log: Any) -> None:
    _base(log)
    del log.heads[ONE]
    log.genesis(ONE)
    log.donation(ONE)


ID = typeid("ent", 1003)
SEAL = {"sealed": "7" * 64}
CENSUS = {"details": {"orgs": 3, "root": "0" * 64}}

CASES = {
    "right": (_base, None),
    "an entry of an unknown kind": (_change(600, kind="gift"), ("A3", 600)),
    "a census by another": (_change(601, kind="census", money=None, **CENSUS), ("A3", 601)),
    "no genesis at 0": (_change(0, details={"name": "x", "origin": "y/log/0"}), ("A3", 0)),
    "a gap": (_change(700 - 1, seq=500), ("A4", 699)),
    "another prev": (_change(513, prev="0" * 64), ("A4", 513)),
    "time goes back": (_change(512, time=EARLY), ("A4", 512)),
    "an id of another part": (_change(790, id=ID), ("A4", 790)),
    "an id of its part": (_change(10, id=ID), ("A4", 10)),
    "an id at a part's start": (_change(256, id=ID), ("A4", 256)),
    "a ref to a later entry": (_change(20, ref=typeid("ent", 1700)), ("A4", 20)),
    "a ref to a later entry of its part": (_change(20, ref=typeid("ent", 1030)), ("A4", 20)),
    "a ref to itself": (_change(20, ref=typeid("ent", 1020)), ("A4", 20)),
    "a ref to another's entry": (_change(601, ref=typeid("ent", 1010)), ("A4", 601)),
    "a ref to an earlier entry": (_change(601, ref=typeid("ent", 1011)), None),
    "a seal in two parts": (_changed((40, {"donor": SEAL}), (776, {"donor": SEAL})), ("A4", 776)),
    "a seal in one part": (_changed((40, {"donor": SEAL}), (41, {"donor": SEAL})), ("A4", 41)),
    "a second chain": (_second_chain, ("A4", 800)),
    "a census that is wrong": (_change(300, **CENSUS), ("A5", 300)),
    "the earlier of two": (_changed((700, {"seq": 9}), (300, {"id": ID})), ("A4", 300)),
    "A4 before A5": (_changed((250, CENSUS), (790, {"id": ID})), ("A4", 790)),
    "A3 before A4": (_changed((30, {"id": ID}), (790, {"v": 2})), ("A3", 790)),
    "A5 after a part that A4 refused": (_changed((30, {"id": ID}), (700, CENSUS)), ("A4", 30)),
    "both in one part": (_changed((300, {"id": ID}), (305, {"prev": "1" * 64})), ("A4", 300)),
    "both in one part, the local one first": (
        _changed((305, {"id": ID}), (300, {"prev": "1" * 64})),
        ("A4", 300),
    ),
    "two rules at one entry": (_change(600, id=ID, prev="1" * 64), ("A4", 600)),
}


def verdict(files: dict[str, bytes], trust: Trust, processes: int) -> Any:
    try:
        report = audit_log(files.get, trust, processes=processes)
    except RefusedError as error:
        return error.step, error.message, error.seq, error.index
    return report.organizations, report.censuses


@pytest.mark.parametrize("name", CASES)
def test_parts_and_processes_do_not_change_the_verdict(
    name: str, made_log: Any, trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    build, expected = CASES[name]
    build(made_log)
    files = made_log.files()
    whole = verdict(files, trust, 1)
    assert (whole[0], whole[3]) == expected if expected else whole == (3, 3)
    for tiles, processes in ((1, 1), (2, 1), (1, 2)):
        monkeypatch.setattr(auditing, "PART_TILES", tiles)
        assert verdict(files, trust, processes) == whole, f"{tiles} tiles, {processes} processes"


@pytest.mark.parametrize("processes", [1, 2])
def test_a_torn_file_comes_before_all_that_entries_say(
    made_log: Any, trust: Trust, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    _change(30, v=2)(made_log)
    files = made_log.files()
    monkeypatch.setattr(auditing, "PART_TILES", 1)
    torn = files | {"tile/entries/002": files["tile/entries/002"].replace(b"EUR", b"USD", 1)}
    assert verdict(torn, trust, processes)[0] == "A2"
    assert verdict(torn, trust, processes)[3] == 512
    assert verdict(files, trust, processes)[::3] == ("A3", 30)


def test_progress_is_told_after_every_part(
    made_log: Any, trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    _base(made_log)
    monkeypatch.setattr(auditing, "PART_TILES", 2)
    seen: list[tuple[int, int]] = []
    audit_log(made_log.files().get, trust, progress=lambda done, size: seen.append((done, size)))
    assert seen == [(512, SIZE), (SIZE, SIZE)]
