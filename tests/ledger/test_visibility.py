import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.entry import Composer, spell_time
from ledger.visibility import (
    VISIBILITIES,
    Label,
    Level,
    Reader,
    Role,
    funds_of,
    is_wider,
    label_of,
    level,
    next_opening,
)
from tests.ledger.making import NOON, ORIGIN, donation, name

BEFORE, DAY, AFTER = (f"2027-0{month}-01T00:00:00.000000Z" for month in (1, 2, 3))
INTERNAL, AGGREGATED, DELAYED, FULL = (
    Label(visibility, DAY if visibility == "delayed_public" else None)
    for visibility in VISIBILITIES
)
LABELS = (INTERNAL, AGGREGATED, DELAYED, FULL)

#: label -> what the public gets before its day, and from it on.
PUBLIC = {
    INTERNAL: (Level.LOG_ONLY, Level.LOG_ONLY),
    AGGREGATED: (Level.IN_SUMS, Level.IN_SUMS),
    DELAYED: (Level.IN_SUMS, Level.OPENED),
    FULL: (Level.OPENED, Level.OPENED),
}

days = st.sampled_from([BEFORE, DAY, AFTER])
labels = st.one_of(
    st.sampled_from([INTERNAL, AGGREGATED, FULL]), days.map(lambda day: Label(DELAYED[0], day))
)


@pytest.mark.parametrize("own", LABELS)
def test_the_public_gets_what_the_label_says(own: Label) -> None:
    before, after = PUBLIC[own]
    assert level(own, None, Reader(Role.PUBLIC, BEFORE)) == before
    assert level(own, None, Reader(Role.PUBLIC, DAY)) == after
    assert level(own, None, Reader(Role.PUBLIC, AFTER)) == after


@pytest.mark.parametrize(("own", "change"), list(itertools.product(LABELS, LABELS)))
def test_what_either_label_shows_is_shown(own: Label, change: Label) -> None:
    for moment, now in enumerate((BEFORE, AFTER)):
        shown = level(own, change, Reader(Role.PUBLIC, now))
        assert shown == max(PUBLIC[own][moment], PUBLIC[change][moment])


@pytest.mark.parametrize("own", LABELS)
@pytest.mark.parametrize("role", [Role.MEMBER, Role.AUDITOR, Role.DONOR])
def test_whoever_may_see_behind_the_label_sees_it_opened(own: Label, role: Role) -> None:
    assert level(own, None, Reader(role, BEFORE), frozenset({"fund_a"})) is Level.OPENED


@pytest.mark.parametrize(
    ("permitted", "funds", "opened"),
    [
        ({"fund_a"}, {"fund_a"}, True),
        ({"fund_a", "fund_b"}, {"fund_a", "fund_b"}, True),
        ({"fund_a"}, {"fund_a", "fund_b"}, False),
        ({"fund_b"}, {"fund_a"}, False),
        (set(), {"fund_a"}, False),
        ({"fund_a"}, None, False),
        (set(), set(), False),
    ],
)
def test_an_entry_over_several_funds_needs_the_right_on_all(
    permitted: set[str], funds: set[str] | None, opened: bool
) -> None:
    reader = Reader(Role.MEMBER, BEFORE, frozenset(permitted))
    named = None if funds is None else frozenset(funds)
    assert level(INTERNAL, None, reader, named) is (Level.OPENED if opened else Level.LOG_ONLY)
    # Without the right on its funds a member is one of the public.
    assert level(AGGREGATED, FULL, reader, named) is Level.OPENED


@given(labels, labels, labels)
def test_wider_is_an_order(one: Label, two: Label, three: Label) -> None:
    assert (one == two) != (is_wider(one, two) or is_wider(two, one))
    assert not (is_wider(one, two) and is_wider(two, one))
    assert not (is_wider(one, two) and is_wider(two, three)) or is_wider(one, three)


@given(labels, labels, days)
def test_a_wider_label_never_shows_less(one: Label, two: Label, now: str) -> None:
    public = Reader(Role.PUBLIC, now)
    if is_wider(two, one):
        assert level(two, None, public) >= level(one, None, public)
    assert level(one, two, public) >= level(one, None, public)


def test_the_next_opening_is_the_first_day_to_come() -> None:
    found = [INTERNAL, FULL, None, DELAYED, Label("delayed_public", AFTER)]
    assert next_opening(found, BEFORE) == DAY
    assert next_opening(found, DAY) == AFTER
    assert next_opening(found, AFTER) is None


@pytest.mark.parametrize("label", LABELS)
def test_an_entry_says_its_label(label: Label) -> None:
    request = donation(name("org", "A"), 1, visibility=label.visibility)
    request = request._replace(
        public_after=label.public_after,
        details={"visibility": "public_full", "to": '"visibility":"public_full"}'},
    )
    composed = Composer(ORIGIN).compose(request, 1, "00" * 32, spell_time(NOON))
    assert label_of(composed.data) == label
    for opening in composed.openings:
        if opening.section == "money":
            assert opening.plain is not None
            assert funds_of(opening.plain) == {name("fund", name("org", "A"))}
