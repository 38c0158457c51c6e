"""One decision says how much of a donor is shown, in every output there is."""

import itertools

import pytest

from edge.rights.display import DISPLAYS, Display, Output, Shown, effective, may_open, shown_of
from ledger.visibility import Level

DONOR = {"name": "Ada Example", "email": "ada@example.org", "display": "public"}
TRUSTED = {Output.STAFF, Output.OWN}
EVERYTHING = list(itertools.product(Output, (*DISPLAYS, None), Level))


def shown(output: Output, display: Display | None, level: Level) -> Shown:
    return shown_of(DONOR, "prof_1", display, level, output)


@pytest.mark.parametrize(("output", "display", "level"), EVERYTHING)
def test_only_a_public_choice_on_an_open_gift_is_named_and_nothing_but_the_name(
    output: Output, display: Display | None, level: Level
) -> None:
    found = shown(output, display, level)
    if output in TRUSTED:
        assert found == Shown("Ada Example", "ada@example.org", "prof_1", has_amount=True)
        return
    assert (found.email, found.profile) == (None, None)
    may = output in {Output.PUBLIC_PAGE, Output.PUBLIC_API, Output.WALL, Output.FEED}
    is_named = may and display == "public" and level is Level.OPENED
    assert found.name == ("Ada Example" if is_named else None)
    assert found.has_amount == (level is Level.OPENED)


def test_a_more_private_choice_never_shows_more() -> None:
    for output, level in itertools.product(Output, Level):
        named = [shown(output, display, level).name is not None for display in DISPLAYS]
        assert named == sorted(named)


def test_an_opening_leaves_only_to_those_who_may_see_donors() -> None:
    assert {output for output in Output if may_open(output)} == TRUSTED


def test_who_is_forgotten_is_named_nowhere() -> None:
    for output, display, level in EVERYTHING:
        found = shown_of(None, None, display, level, output)
        assert (found.name, found.email, found.profile) == (None, None, None)


def test_a_choice_is_never_wider_than_the_ledger() -> None:
    assert {effective("public", level) for level in Level} == {"anonymous", "public"}
    assert effective("public", Level.IN_SUMS) == effective(None, Level.OPENED) == "anonymous"
    assert effective("amount_only", Level.OPENED) == "amount_only"
