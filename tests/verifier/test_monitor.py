"""A monitor's looks at a log: what it keeps, what it refuses, and what it says when."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from amply_verify.errors import UnreadableError
from amply_verify.monitor import Monitor, Outcome
from amply_verify.monitor_state import MonitorState
from amply_verify.note import Checkpoint, Signer
from amply_verify.policy import parse_policy
from amply_verify.trust import Trust
from tests.verifier.conftest import MadeLog, typeid

PLATFORM, ONE = typeid("org", 1), typeid("org", 7)
NOW_S = 1_800_000_000


@pytest.fixture
def log(made_log: MadeLog) -> MadeLog:
    made_log.genesis(PLATFORM)
    made_log.genesis(ONE)
    grow(made_log, 298)
    return made_log


def grow(log: MadeLog, count: int) -> None:
    for _ in range(count):
        log.donation(ONE, open_donor=True)


@pytest.fixture
def look(tmp_path: Path, trust: Trust) -> Callable[..., Outcome]:
    """A new monitor with the same state looks at the log once."""

    def see(log: MadeLog, note: str | None = None, now_s: int = NOW_S, **given: Any) -> Outcome:
        files = given.pop("files", None) or log.files()
        with closing(MonitorState(tmp_path / "state", log.signer.key)) as state:
            monitor = Monitor(state, given.pop("trust", trust), files.get, **given)
            return monitor.see(note or files["checkpoint"].decode(), now_s)

    return see


def kept(tmp_path: Path) -> str:
    return (tmp_path / "state/checkpoint").read_text()


def evidence(tmp_path: Path) -> list[Any]:
    return [json.loads(path.read_bytes()) for path in (tmp_path / "state/evidence").iterdir()]


def test_a_growing_log_is_good_and_its_checkpoint_is_kept(
    log: MadeLog, look: Any, tmp_path: Path
) -> None:
    assert look(log).message.endswith("a log of 300 entries, seen for the first time")
    for count in (1, 211, 1, 255, 256, 300):
        grow(log, count)
        log.census(PLATFORM)
        assert look(log).message.endswith(f"{count + 1} more than before")
        assert kept(tmp_path) == log.note()
        assert look(log).message.endswith("none more than before")


def test_only_new_files_are_read_again(log: MadeLog, look: Any) -> None:
    look(log)
    grow(log, 300)
    files = log.files()
    old = ("tile/entries/000", "tile/0/000")
    assert look(log, files={name: files[name] for name in files if name not in old}).reason == "ok"


@pytest.mark.parametrize("size", [500, 301, 300])
def test_a_fork_is_kept_as_evidence_and_changes_nothing(
    log: MadeLog, look: Any, tmp_path: Path, size: int
) -> None:
    before = log.entries[:299], log.openings[:299], log.orgs[:299]
    look(log)
    fork = MadeLog(log.signer, *before)
    fork.heads[ONE] = (297, log.leaves[298])
    while len(fork.entries) < size:
        fork.donation(ONE, 1)
    for _ in range(2):
        outcome = look(fork)
        assert (outcome.reason, outcome.step) == ("inconsistent", "A6")
        assert "a fork: at size 300 there are two roots" in outcome.message
        assert kept(tmp_path) == log.note()
    (proof,) = evidence(tmp_path)
    assert proof["notes"] == [log.note(), fork.note()]
    assert outcome.evidence is not None
    assert json.loads(Path(outcome.evidence).read_bytes()) == proof
    grow(log, 1)
    assert look(log).reason == "ok", "the log of before can go on"


def test_a_log_that_shrinks_is_refused(log: MadeLog, look: Any, tmp_path: Path) -> None:
    look(log)
    outcome = look(log, note=log.note(299))
    assert (outcome.reason, outcome.step) == ("inconsistent", "A6")
    assert "had 300 entries and now has 299" in outcome.message
    assert evidence(tmp_path)[0]["notes"] == [log.note(), log.note(299)]


@pytest.mark.parametrize(
    "fields, step",
    [
        ({"v": 2}, "A3"),
        ({"seq": 7}, "A4"),
        ({"prev": "0" * 64}, "A4"),
        ({"id": typeid("ent", 1003)}, "A4"),
        ({"ref": typeid("ent", 1000)}, "A4"),
        ({"ref": typeid("ent", 1301)}, "A4"),
        ({"ref": typeid("ent", 1299)}, None),
        ({"time": "2026-01-01T00:00:00.000000Z"}, "A4"),
    ],
)
def test_new_entries_are_judged_by_what_was_before(
    log: MadeLog, look: Any, tmp_path: Path, fields: dict[str, Any], step: str | None
) -> None:
    look(log)
    note = log.note()
    log.donation(ONE, **fields)
    outcome = look(log)
    assert (outcome.step, outcome.place) == (step, 300 if step else None)
    assert kept(tmp_path) == (note if step else log.note())


def test_a_seal_and_a_census_are_judged_by_what_was_before(log: MadeLog, look: Any) -> None:
    log.donation(ONE, donor={"sealed": "7" * 64})
    look(log)
    entries, heads = log.entries[:], dict(log.heads)
    log.donation(ONE, donor={"sealed": "7" * 64})
    assert (look(log).step, look(log).place) == ("A4", 301)
    log.entries[:], log.heads = entries, dict(heads)
    log.census(PLATFORM, orgs=3)
    assert (look(log).step, look(log).place) == ("A5", 301)


def test_missing_and_wrong_files_are_refused(log: MadeLog, look: Any, tmp_path: Path) -> None:
    look(log)
    grow(log, 300)
    files = log.files()
    for name in ("tile/entries/002.p/88", "tile/0/001", "tile/1/000.p/2"):
        missing = {key: files[key] for key in files if key != name}
        wrong = files | {name: b"\xff" * len(files[name])}
        assert look(log, files=missing).step == "A2", name
        assert look(log, files=wrong).step == "A2", name
    assert look(log).reason == "ok"


def test_a_wrong_signature_is_refused(log: MadeLog, look: Any) -> None:
    assert look(log, note=log.note().replace("300", "301")).step == "A1"


def test_a_refused_look_leaves_nothing_in_the_state(
    log: MadeLog, tmp_path: Path, trust: Trust
) -> None:
    with closing(MonitorState(tmp_path / "state", log.signer.key)) as state:
        monitor = Monitor(state, trust, log.files().get)
        monitor.see(log.note(), NOW_S)
        log.donation(ONE)
        log.donation(ONE, v=2)
        monitor.read = log.files().get
        assert monitor.see(log.note(), NOW_S).step == "A3"
        assert state.chains.frontier.size == 300
        assert state.store.place_of(typeid("ent", 1300)) is None


def test_an_interrupted_look_leaves_the_state_as_it_was(
    log: MadeLog, tmp_path: Path, trust: Trust, look: Any
) -> None:
    look(log)
    grow(log, 500)
    files = log.files()

    def read(name: str) -> bytes | None:
        if name == "tile/1/000.p/3":
            raise UnreadableError("the network went away")
        return files.get(name)

    with closing(MonitorState(tmp_path / "state", log.signer.key)) as state:
        monitor = Monitor(state, trust, read)
        with pytest.raises(UnreadableError):
            monitor.see(log.note(), NOW_S)
        assert state.chains.frontier.size == 300
        assert state.store.place_of(typeid("ent", 1300)) is None
        monitor.read = files.get
        assert monitor.see(log.note(), NOW_S).message.endswith("500 more than before")


def test_without_a_policy_late_is_what_does_not_change(log: MadeLog, look: Any) -> None:
    assert look(log, max_age_s=60).reason == "ok"
    assert look(log, max_age_s=60, now_s=NOW_S + 60).reason == "ok"
    late = look(log, max_age_s=60, now_s=NOW_S + 61)
    assert late.reason == "late"
    assert "did not change for 61 seconds, at most 60" in late.message
    grow(log, 1)
    assert look(log, max_age_s=60, now_s=NOW_S + 62).reason == "ok"


def test_with_a_policy_late_is_what_witnesses_did_not_see(
    log: MadeLog, look: Any, witness_signer: Signer, trust: Trust
) -> None:
    policy = parse_policy(f"witness w {witness_signer.key}\nquorum w\n")
    cosigned = log.note() + witness_signer.line(log.note().partition("\n\n")[0] + "\n", NOW_S)
    watched = {"trust": Trust(trust.key, policy), "max_age_s": 60, "note": cosigned}
    assert look(log, **watched, now_s=NOW_S + 50).reason == "ok"
    late = look(log, **watched, now_s=NOW_S + 61)
    assert "its witnesses did not see the log for 61 seconds" in late.message
    assert look(log, trust=watched["trust"]).step == "A1", "a quorum is missing"


def test_a_policy_may_come_later_though_witnesses_are_behind(
    log: MadeLog, look: Any, witness_signer: Signer, trust: Trust, tmp_path: Path
) -> None:
    look(log)
    watched = Trust(trust.key, parse_policy(f"witness w {witness_signer.key}\nquorum w\n"))
    older = log.note(256)
    cosigned = older + witness_signer.line(older.partition("\n\n")[0] + "\n", NOW_S)
    assert look(log, note=cosigned, trust=watched).reason == "ok"
    assert kept(tmp_path) == log.note()
    forged = log.signer.sign(Checkpoint(log.origin, 256, bytes(32)))
    cosigned = forged + witness_signer.line(forged.partition("\n\n")[0] + "\n", NOW_S)
    assert look(log, note=cosigned, trust=watched).step == "A6"


def test_a_checkpoint_kept_before_there_was_a_monitor_is_where_it_begins(
    log: MadeLog, look: Any, tmp_path: Path
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/checkpoint").write_text(log.note(299))
    assert look(log).message.endswith("1 more than before")
    log.entries[5] = log.entries[5].replace(b"EUR", b"USD")
    assert look(log).reason == "inconsistent"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE facts SET value = '1' WHERE name = 'changed_s'",
        "UPDATE facts SET value = replace(value, '300', '299') WHERE name = 'note'",
        "UPDATE heads SET seq = seq - 1",
        "DELETE FROM ids WHERE place = 3",
        "DELETE FROM seals WHERE place = 3",
        "DELETE FROM facts WHERE name = 'digest'",
        "DELETE FROM facts WHERE name = 'time'",
        "DROP TABLE heads",
    ],
)
def test_a_state_that_was_changed_is_refused(
    log: MadeLog, look: Any, tmp_path: Path, statement: str
) -> None:
    look(log)
    with closing(sqlite3.connect(tmp_path / "state/state.sqlite")) as database:
        database.execute(statement)
        database.commit()
    with pytest.raises(UnreadableError, match="was damaged or changed"):
        look(log)


def test_a_state_of_another_key_or_in_use_is_refused(
    log: MadeLog, look: Any, tmp_path: Path
) -> None:
    look(log)
    stranger = Signer(log.origin, bytes(32)).key
    with pytest.raises(UnreadableError, match="is the state of another key"):
        MonitorState(tmp_path / "state", stranger)
    in_use = closing(MonitorState(tmp_path / "state", log.signer.key))
    with in_use, pytest.raises(UnreadableError, match="locked"):
        MonitorState(tmp_path / "state", log.signer.key)
