"""A composer that knows a form looks at less, yet accepts and refuses what a new one does."""

from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amply_verify import canonical, entry
from amply_verify.entry import check_opening, parse_entry
from amply_verify.errors import InvalidError
from ledger.entry import Composed, Composer, Request, spell_time
from tests.ledger.making import NOON, ORIGIN, donation, genesis, name, postings, refund, seal

A = name("org", "A")
TIME, PREV = spell_time(NOON), "0" * 64
VISIBILITIES = ["public_full", "public_aggregated", "delayed_public", "internal_only"]
FULL_ONLY = ["visibility_change", "erasure", "genesis", "census", "key_change", "statement"]
DETAILS: list[dict[str, Any] | None] = [
    None,
    {},
    {"a": "x"},
    {"a": "x", "b": 1},
    {"b": 1, "a": "x"},
]


class Place(NamedTuple):
    seq: int
    prev: str | None
    time: str


def draw(section: str) -> bytes:
    return section.encode().ljust(32, b".")


def experienced() -> Composer:
    """A composer that has met every form and key that the requests below vary."""
    composer = Composer(ORIGIN, draw)
    for visibility in VISIBILITIES:
        after = TIME if visibility == "delayed_public" else None
        for details in DETAILS:
            for donor in (seal(1), None):
                common: dict[str, Any] = {
                    "visibility": visibility,
                    "public_after": after,
                    "details": details,
                    "donor": donor,
                }
                composer.compose(donation(A, 1, **common), 1, PREV, TIME)
            composer.compose(refund(A, 1, name("ent", 2), **common), 1, PREV, TIME)
    change = refund(A, 1, name("ent", 2), kind="visibility_change", postings=None)
    composer.compose(change._replace(details={"to": "public_full"}), 1, PREV, TIME)
    composer.compose(genesis(A), 0, None, TIME)
    return composer


texts = st.text(max_size=8) | st.sampled_from(["\0", "\ud800", 'a"b\\', "é\u2028\x7f"])
edges = st.sampled_from([2**53 - 1, 2**53, -(2**53), 2**64, 1.5, float("nan"), True, None])
values = texts | edges | st.lists(texts, max_size=2) | st.dictionaries(texts, texts, max_size=2)
details = st.sampled_from(DETAILS) | st.dictionaries(
    st.sampled_from(["a", "b", "sealed", "to", "name", "origin", "B", "é"]), values, max_size=3
)
identifiers = st.sampled_from(
    [A, name("ent", 1), name("ent", 1) + "\n", name("ent", 1).upper(), ""]
)
hashes = st.sampled_from([PREV, "A" * 64, PREV + "\n", PREV[:-1], ""])
lines = st.sampled_from(
    [
        postings(5, name("fund", A)),
        postings(5, "fund_1"),
        postings(0, name("fund", A)),
        postings(5, name("fund", A))[:1],
        [],
        None,
    ]
)
CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "id": identifiers,
    "organization": identifiers,
    "kind": st.sampled_from(["donation", "refund", "expense", "payout", "nothing", *FULL_ONLY]),
    "visibility": st.sampled_from([*VISIBILITIES, "secret"]),
    "public_after": st.sampled_from([None, TIME, TIME[:-1], ""]),
    "ref": st.none() | identifiers,
    "postings": lines,
    "details": details,
    "donor": st.none() | hashes.map(lambda one: seal(1)._replace(seal=one)),
}
changes = st.lists(st.sampled_from(sorted(CHANGES)), max_size=3, unique=True).flatmap(
    lambda names: st.fixed_dictionaries({name: CHANGES[name] for name in names})
)
places = st.just(Place(1, PREV, TIME)) | st.builds(
    Place, st.sampled_from([-1, 0, 1, 7]), st.none() | hashes, st.sampled_from([TIME, TIME[1:], ""])
)
requests = st.builds(
    lambda base, changed: base._replace(**changed),
    st.sampled_from([donation(A, 1), refund(A, 1, name("ent", 2)), genesis(A)]),
    changes,
)


def outcome(composer: Composer, request: Request, place: Place) -> Composed | None:
    """None for a refusal: of several faults either may be named."""
    try:
        return composer.compose(request, *place)
    except InvalidError:
        return None


@settings(max_examples=2000, deadline=None)
@given(requests, places)
def test_experience_changes_no_verdict_and_no_byte(request: Request, place: Place) -> None:
    known = outcome(EXPERIENCED, request, place)
    assert known == outcome(Composer(ORIGIN, draw), request, place)
    if known is not None:
        parsed = parse_entry(known.data, ORIGIN)
        for opening in known.openings:
            if opening.plain is not None:
                check_opening(parsed, opening.section, canonical.parse(opening.plain))


EXPERIENCED = experienced()


def test_a_known_form_is_not_judged_as_a_whole_again(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[object] = []
    monkeypatch.setattr(entry, "check_entry", lambda *given: judged.append(given))
    EXPERIENCED.compose(donation(A, "another", details={"a": "y"}), 9, "f" * 64, TIME)
    assert judged == []


def test_a_composer_remembers_a_bounded_number_of_keys() -> None:
    composer = Composer(ORIGIN, draw)
    for number in range(5000):
        composer.compose(donation(A, 1, details={f"key_{number}": "x"}), 1, PREV, TIME)
    assert len(composer._keys) <= 4096
