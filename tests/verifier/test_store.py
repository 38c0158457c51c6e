from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from amply_verify.errors import UnreadableError
from amply_verify.store import Head, Store


@pytest.fixture
def store() -> Iterator[Store]:
    with closing(Store()) as store:
        yield store


def test_the_lowest_repetition_is_named(store: Store) -> None:
    assert store.add_ids([("a", 0, 0), ("b", 1, 1), ("c", 0, 2)]) is None
    assert store.add_ids([("d", 0, 3), ("b", 0, 4), ("a", 0, 5)]) == 4
    assert store.place_of("b") == (1, 1)
    assert store.place_of("x") is None
    assert store.add_seals([(b"\xff", 0), (b"\x00", 1)]) is None
    assert store.add_seals([(b"\x01", 2), (b"\xff", 4), (b"\x00", 3)]) == 3
    assert store.add_ids([]) is None
    assert (store.count(0, 3), store.count(0, 2), store.count(7, 9)) == (2, 1, 0)


def test_what_was_not_committed_was_never_there(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with closing(Store(path)) as store:
        store.put_facts([("name", "kept")])
        store.put_heads([("org", Head(0, 3, b"leaf"))])
        store.commit()
        store.put_facts([("name", "rolled back")])
        store.rollback()
        store.add_ids([("a", 0, 0)])
    with closing(Store(path)) as store:
        assert store.facts() == {"name": "kept"}
        assert store.heads() == {"org": Head(0, 3, b"leaf")}
        assert store.place_of("a") is None


def test_only_the_largest_notes_are_kept(store: Store) -> None:
    for size in (5, 1, 9, 7, 9):
        store.put_note(size, bytes([size]), f"note {size}", 3)
    assert store.note_of(1) is None
    assert store.note_of(5) == (b"\x05", "note 5")
    assert store.note_of(9) == (b"\x09", "note 9")


def test_a_state_in_use_or_of_another_kind_cannot_be_read(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "state")), pytest.raises(UnreadableError, match="locked"):
        Store(tmp_path / "state")
    (tmp_path / "other").write_bytes(b"x" * 5000)
    with pytest.raises(UnreadableError, match="not a database"):
        Store(tmp_path / "other")
