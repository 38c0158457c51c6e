"""Which keys sign at which size, and notes with several signatures."""

import pytest

from amply_verify.errors import NoteError
from amply_verify.note import Signer, open_checkpoint
from ledger.checkpoint import KeyChange, keys_at, sign
from tests.ledger.making import ORIGIN

A, B, C = (Signer(ORIGIN, bytes([number]) * 32) for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("changes", "signing"),
    [
        ([], {1: "A", 10_000: "A"}),
        # The entry at 5 is in a tree from the size 6 on.
        ([(5, "A", "B", 8)], {1: "A", 5: "A", 6: "AB", 7: "AB", 8: "B", 9: "B"}),
        ([(5, "A", "B", 0)], {5: "A", 6: "B", 9: "B"}),
        ([(5, "A", "B", 6)], {5: "A", 6: "B"}),
        (
            [(5, "A", "B", 8), (9, "B", "C", 12)],
            {5: "A", 7: "AB", 8: "B", 9: "B", 10: "BC", 11: "BC", 12: "C"},
        ),
        # A second change before the first is over, and one back to the first key.
        ([(5, "A", "B", 12), (7, "B", "C", 10)], {6: "AB", 8: "ABC", 10: "AC", 12: "C"}),
        ([(5, "A", "B", 12), (7, "B", "C", 7)], {6: "AB", 8: "AC", 12: "C"}),
        ([(5, "A", "B", 8), (9, "B", "A", 12)], {8: "B", 10: "BA", 12: "A"}),
        ([(5, "A", "B", 8), (6, "B", "A", 12)], {6: "AB", 7: "BA", 8: "BA", 12: "A"}),
    ],
)
def test_from_its_entry_on_both_keys_sign_and_from_until_on_the_new_one(
    changes: list[tuple[int, str, str, int]], signing: dict[int, str]
) -> None:
    announced = [KeyChange(*change) for change in changes]
    assert {size: "".join(keys_at(size, "A", announced)) for size in signing} == signing


def test_a_note_of_two_keys_is_accepted_under_each_and_under_no_third() -> None:
    note = sign([A, B], 7, bytes(32))
    for one in (A, B):
        checkpoint, cosigned = open_checkpoint(note, one.key)
        assert (checkpoint.size, cosigned) == (7, [])
    with pytest.raises(NoteError, match="another key of"):
        open_checkpoint(note, C.key)


def test_a_wrong_signature_of_the_old_key_is_refused_by_those_who_trust_it() -> None:
    lines = sign([A, B], 7, bytes(32)).splitlines(keepends=True)
    forged = sign([A], 8, bytes(32)).splitlines(keepends=True)[-1]
    note = "".join([*lines[:4], forged, lines[5]])
    open_checkpoint(note, B.key)
    with pytest.raises(NoteError, match="wrong"):
        open_checkpoint(note, A.key)


def test_keys_of_two_logs_never_sign_one_note() -> None:
    with pytest.raises(ValueError, match="unpack"):
        sign([A, Signer("another.example/log/0", bytes(32))], 7, bytes(32))
