"""Plain values are what the model accepts: no more, no less, and the same."""

import json
from datetime import datetime
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError, field_validator

from contracts.entries import EntryRequested
from contracts.message import Body
from tests.ledger.making import name, postings, seal
from topics.plain import plain_reader

DONOR = {"profile": name("prof", 1), "seal": seal(1).seal, "opening": "QUJD"}
VALID: dict[str, Any] = {
    "kind": "donation",
    "visibility": "delayed_public",
    "public_after": "2027-03-01T12:00:00Z",
    "ref": name("ent", 1),
    "subject": name("don", 1),
    "postings": postings(5, name("fund", 1)),
    "details": {"charge": "ch_1", "a": [1, None, {"b": 1.5}]},
    "donor": DONOR,
}
VALUES: list[Any] = [
    None,
    "",
    "x",
    5,
    1.5,
    True,
    [],
    {},
    "0",
    "2027-03-01",
    "é\x00",
    "x" * 300,
    [{}],
    "public_full",
]
LINE, *_ = postings(5, name("fund", 1))

values = st.sampled_from([*VALUES, *VALID.values()])


def changed(valid: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The object with some fields changed, some missing and some that nobody knows."""
    some = st.dictionaries(st.sampled_from([*valid, "added_in_2027"]), values, max_size=2)
    without = st.sets(st.sampled_from(sorted(valid)), max_size=2)
    return st.builds(
        lambda new, gone: {key: one for key, one in (valid | new).items() if key not in gone},
        some,
        without,
    )


bodies = st.builds(
    lambda body, lines, donor: body | lines | donor,
    changed(VALID),
    st.just({}) | st.lists(changed(LINE), max_size=3).map(lambda lines: {"postings": lines}),
    st.just({}) | changed(DONOR).map(lambda donor: {"donor": donor}),
)


@settings(max_examples=1000, deadline=None)
@given(bodies)
def test_the_model_and_its_plain_reader_agree(body: dict[str, Any]) -> None:
    text = json.dumps(body).encode()
    try:
        expected = EntryRequested.model_validate_json(text, extra="ignore").model_dump()
    except ValidationError as error:
        with pytest.raises(ValidationError) as caught:
            plain_reader(EntryRequested)(text)
        assert places(caught.value) == places(error)
        return
    if expected["postings"] is not None:
        expected["postings"] = list(expected["postings"])
    plain = plain_reader(EntryRequested)(text)
    assert dict.fromkeys(expected) | plain == expected


def places(error: ValidationError) -> list[tuple[int | str, ...]]:
    return [fault["loc"] for fault in error.errors()]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"\xff", b"{" * 5000])
def test_what_is_no_body_is_refused(text: bytes) -> None:
    with pytest.raises(ValidationError):
        plain_reader(EntryRequested)(text)


def test_a_time_is_read_as_one() -> None:
    after = plain_reader(EntryRequested)(json.dumps(VALID).encode())["public_after"]
    assert after == datetime.fromisoformat("2027-03-01T12:00:00Z")


def test_a_model_with_validators_of_its_own_has_no_plain_reader() -> None:
    class Checked(Body):
        number: Annotated[int, "units"]

        @field_validator("number")
        @classmethod
        def is_even(cls, number: int) -> int:
            return number

    with pytest.raises(TypeError, match="Checked has validators"):
        plain_reader(Checked)
