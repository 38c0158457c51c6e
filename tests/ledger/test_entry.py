import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amply_verify import canonical
from amply_verify.entry import check_opening, parse_entry
from amply_verify.errors import InvalidError
from ledger.entry import Composer, parse_time, spell_time
from tests.ledger.making import NOON, ORIGIN, donation, name

A = name("org", "A")
TIME = spell_time(NOON)
PREV = "0" * 64

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
scalars = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts
keys = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(lambda key: key != "sealed")
details = st.dictionaries(
    keys, scalars | st.lists(scalars, max_size=3) | st.dictionaries(keys, scalars, max_size=3)
)


@given(details, st.sampled_from(["public_full", "public_aggregated", "internal_only"]))
def test_the_bytes_are_canonical_and_the_openings_open(
    value: dict[str, Any], visibility: str
) -> None:
    request = donation(A, 1, visibility=visibility, details=value)
    composed = Composer(ORIGIN).compose(request, 3, PREV, TIME)
    assert composed.data == canonical.encode(json.loads(composed.data))
    entry = parse_entry(composed.data, ORIGIN)
    assert (entry.id, entry.org, entry.seq, entry.prev) == (request.id, A, 3, PREV)
    for opening in composed.openings:
        if opening.plain is not None:
            opened = check_opening(entry, opening.section, canonical.parse(opening.plain))
            shown = {"money": {"postings": request.postings}, "details": value}
            assert opened.value == shown[opening.section]
    sealed = set() if visibility == "public_full" else {"money", "details"}
    assert {one.section for one in composed.openings} == sealed | {"donor"}
    assert entry.seals.keys() == sealed | {"donor"}


def test_equal_values_get_unequal_seals() -> None:
    composer = Composer(ORIGIN)
    request = donation(A, 1, visibility="public_aggregated")
    first, second = (
        parse_entry(composer.compose(request, 3, PREV, TIME).data).seals for _ in range(2)
    )
    assert first["money"] != second["money"]
    assert first["details"] != second["details"]


@pytest.mark.parametrize(
    "value",
    [{"n": 2**53}, {"n": 1.0}, {"é": 1}, {"a": "\ud800"}, {"a": "\0"}, {1: "x"}, {"a": {1, 2}}],
)
@pytest.mark.parametrize("visibility", ["public_full", "public_aggregated"])
def test_what_has_no_canonical_form_is_refused(value: Any, visibility: str) -> None:
    request = donation(A, 1, visibility=visibility, details=value)
    with pytest.raises(InvalidError):
        Composer(ORIGIN).compose(request, 3, PREV, TIME)


def test_times_have_27_characters() -> None:
    assert TIME == "2027-03-01T12:00:00.000000Z"
    assert parse_time(TIME) == NOON
    assert spell_time(NOON.replace(year=1)) == "0001-03-01T12:00:00.000000Z"
