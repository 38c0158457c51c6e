import json
from collections.abc import Callable
from typing import Any

import pytest

from amply_verify import canonical
from amply_verify.entry import check_entry, check_opening, parse_entry, seal
from amply_verify.errors import EntryError, MoneyError
from amply_verify.kinds import KINDS
from amply_verify.money import parse_postings


def _step(text: str | bytes, origin: str) -> int | None:
    try:
        entry = parse_entry(text, origin)
        if "money" in entry.shown:
            parse_postings(entry.shown["money"])
    except EntryError:
        return 3
    except MoneyError:
        return 6
    return None


def test_every_case_is_accepted_or_refused_at_its_step(
    load: Callable[[str], Any], golden: Any
) -> None:
    cases = load("entries-cases.json")["cases"]
    assert len(cases) == 179
    wrong = [
        (case["name"], case.get("step"))
        for case in cases
        if _step(case["entry"], golden["origin"]) != case.get("step")
    ]
    assert wrong == []


def test_every_kind_has_an_accepted_case(load: Callable[[str], Any]) -> None:
    accepted = [case["entry"] for case in load("entries-cases.json")["cases"] if "accept" in case]
    assert {json.loads(text)["kind"] for text in accepted} == KINDS.keys()


def test_bytes_and_text_are_judged_alike(load: Callable[[str], Any], golden: Any) -> None:
    for case in load("entries-cases.json")["cases"]:
        data = case["entry"].encode("utf-8", "surrogatepass")
        assert _step(data, golden["origin"]) == case.get("step"), case["name"]


def test_the_golden_log_is_valid_and_its_openings_fit(golden: Any) -> None:
    opened = 0
    for text, openings in zip(golden["entries"], golden["openings"], strict=True):
        entry = parse_entry(text, golden["origin"])
        assert entry.seals.keys() >= openings.keys()
        for section, opening in openings.items():
            value = check_opening(entry, section, opening).value
            assert value == opening["value"]
            salt = canonical.from_base64(opening["salt"])
            assert seal(section, salt, canonical.encode(value)) == entry.seals[section]
            opened += 1
    assert opened == 9


def test_a_seal_commits_to_section_salt_and_value() -> None:
    salt = bytes(32)
    seals = {
        seal("money", salt, b"{}"),
        seal("donor", salt, b"{}"),
        seal("donor", bytes(31) + b"\1", b"{}"),
        seal("donor", salt, b'{"a":1}'),
    }
    assert len(seals) == 4


def test_an_opening_must_fit(golden: Any) -> None:
    number = next(i for i, openings in enumerate(golden["openings"]) if "donor" in openings)
    entry = parse_entry(golden["entries"][number])
    opening = golden["openings"][number]["donor"]
    with pytest.raises(EntryError, match="does not match"):
        check_opening(entry, "donor", opening | {"value": {"name": "Eve"}})
    with pytest.raises(EntryError, match="no sealed section"):
        check_opening(entry, "ref", opening)
    with pytest.raises(EntryError, match="nothing else"):
        check_opening(entry, "donor", opening | {"more": 1})


@pytest.mark.parametrize("value", [None, 1, "x", [], {}, {"kind": []}, {"kind": "donation"}])
def test_anything_may_be_asked(value: object) -> None:
    with pytest.raises(EntryError):
        check_entry(value)


def test_a_genesis_of_another_log_is_refused_only_where_the_log_is_known(golden: Any) -> None:
    parse_entry(golden["entries"][0])
    with pytest.raises(EntryError, match="another log"):
        parse_entry(golden["entries"][0], "elsewhere.example/log/0")
