from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.identifiers import business_id, caused_id, parse_type_id, random_id, time_of, type_id

START = datetime(2027, 3, 1, 12, tzinfo=UTC)


@given(st.uuids())
def test_a_type_id_is_read_as_it_was_written(identifier: UUID) -> None:
    text = type_id("don", identifier)
    assert parse_type_id("don", text) == identifier
    assert len(text) == len("don_") + 26


@pytest.mark.parametrize(
    ("suffix", "identifier"),
    [
        ("00000000000000000000000000", UUID(int=0)),
        ("00000000000000000000000001", UUID(int=1)),
        ("0000000000000000000000000g", UUID(int=16)),
        ("01h455vb4pex5vsknk084sn02q", UUID("01890a5d-ac96-774b-bcce-b302099a8057")),
        ("7zzzzzzzzzzzzzzzzzzzzzzzzz", UUID(int=(1 << 128) - 1)),
    ],
)
def test_the_spelling_is_that_of_the_type_id_specification(suffix: str, identifier: UUID) -> None:
    assert type_id("prefix", identifier) == f"prefix_{suffix}"
    assert parse_type_id("prefix", f"prefix_{suffix}") == identifier


@pytest.mark.parametrize(
    "text",
    [
        "",
        "don",
        "don_",
        "fund_" + "0" * 26,
        "don_" + "0" * 25,
        "don_" + "0" * 27,
        "don_8" + "0" * 25,
        "don_" + "0" * 25 + "u",
        "don_" + "0" * 25 + "A",
        "DON_" + "0" * 26,
        "_" + "0" * 26,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="don_"):
        parse_type_id("don", text)


@given(st.datetimes(datetime(1970, 1, 2), datetime(9000, 1, 1)), st.text(), st.text())
def test_ids_carry_their_time_and_are_those_of_their_cause(
    moment: datetime, one: str, two: str
) -> None:
    moment = moment.replace(tzinfo=UTC)
    identifier = business_id(moment, "k" + one)
    assert (identifier.version, identifier.variant) == (7, "specified in RFC 4122")
    assert abs(time_of(identifier) - moment) < timedelta(milliseconds=2)
    assert business_id(moment, "k" + one) == identifier
    assert (business_id(moment, "k" + two) == identifier) == (one == two)
    caused = caused_id(identifier, "topic")
    assert time_of(caused) == time_of(identifier)
    assert caused == caused_id(identifier, "topic", 0)
    assert (
        len({caused, identifier, caused_id(identifier, "topic", 1), caused_id(caused, "topic")})
        == 4
    )


def test_random_ids_differ_and_sort_by_time() -> None:
    moments = [START + timedelta(milliseconds=number) for number in range(100)]
    made = [type_id("x", random_id(moment)) for moment in moments]
    assert made == sorted(made)
    assert len({random_id(START) for _ in range(1000)}) == 1000
