"""What the golden cases do not show: lowest seq, repetitions far apart, what is unseen."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from amply_verify import canonical, export, export_form
from amply_verify.entry import seal
from amply_verify.errors import RefusedError
from amply_verify.export import ExportReport, verify_export
from amply_verify.trust import Trust

MakeId = Callable[[str, int], str]


@pytest.fixture
def org(make_id: MakeId) -> str:
    return make_id("org", 5)


@pytest.fixture
def verify(trust: Trust, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ExportReport]:
    # Chunks of three lines, so that every rule also meets a border between chunks.
    monkeypatch.setattr(export, "CHUNK_LINES", 3)

    def run(data: bytes, **options: Any) -> ExportReport:
        return verify_export(io.BytesIO(data), trust, **options)

    return run


def refusal(verify: Callable[..., ExportReport], data: bytes, **options: Any) -> tuple[Any, Any]:
    with pytest.raises(RefusedError) as caught:
        verify(data, **options)
    return caught.value.step, caught.value.seq


def filled(log: Any, org: str, count: int = 10) -> Any:
    log.genesis(org)
    for number in range(1, count):
        log.donation(org, 100 + number, open_donor=number % 2 == 0)
    return log


def test_an_honest_export_is_accepted(made_log: Any, org: str, verify: Any) -> None:
    report = verify(filled(made_log, org).export(org))
    assert report.entries == 10
    assert {line.account: n for line, n in report.figures.balances_minor().items()} == {
        "Assets:Stripe": sum(range(101, 110)),
        "Income:Donations": -sum(range(101, 110)),
    }
    assert not report.figures.partial


@pytest.mark.parametrize("number", range(1, 10))
def test_an_edit_breaks_the_chain_behind_it_or_the_head(
    made_log: Any, org: str, verify: Any, number: int
) -> None:
    log = filled(made_log, org)
    note, proof = log.note(), canonical.parse(log.export(org).splitlines()[0])["head"]
    log.entries[number] = log.entries[number].replace(
        str(100 + number).encode(), str(500 + number).encode()
    )
    found = refusal(verify, log.export(org, checkpoint=note, head=proof))
    assert found == ((4, number + 1) if number < 9 else (8, 9))


@pytest.mark.parametrize("first, second", [(2, 4), (2, 3), (3, 9), (1, 2)])
def test_a_repetition_counts_at_the_later_line(
    made_log: Any, org: str, verify: Any, make_id: MakeId, first: int, second: int
) -> None:
    log = made_log
    log.genesis(org)
    for number in range(1, 10):
        again = {"id": make_id("ent", 77)} if number in (first, second) else {}
        log.donation(org, **again)
    assert refusal(verify, log.export(org)) == (4, second)


@pytest.mark.parametrize("step, fields", [(4, {}), (5, {"salt": 1})])
def test_seals_and_salts_are_used_once(
    made_log: Any, org: str, verify: Any, step: int, fields: dict[str, int]
) -> None:
    log, salt = made_log, bytes(32)
    log.genesis(org)
    for number in range(1, 9):
        donor = {"name": f"Ann {number}" if fields and number == 7 else "Ann"}
        sealed = seal(
            "donor", salt if number in (2, 7) else number.to_bytes(32), canonical.encode(donor)
        )
        log.donation(org, donor={"sealed": sealed})
        if number in (2, 7):
            log.openings[-1]["donor"] = {"salt": canonical.to_base64(salt), "value": donor}
    assert refusal(verify, log.export(org)) == (step, 7)


@pytest.mark.parametrize("ref, good", [(1, True), (5, True), (7, False), (6, False), (8, False)])
def test_a_reference_leads_back(
    made_log: Any, org: str, verify: Any, make_id: MakeId, ref: int, good: bool
) -> None:
    log = made_log
    log.genesis(org)
    for number in range(1, 9):
        if number == 6:
            log.add(org, "refund", money=log.money(-5), ref=make_id("ent", 1000 + ref))
        else:
            log.donation(org)
    if good:
        assert verify(log.export(org)).entries == 9
    else:
        assert refusal(verify, log.export(org)) == (7, 6)


def test_the_first_step_counts_then_the_lowest_seq(made_log: Any, org: str, verify: Any) -> None:
    log = made_log
    log.genesis(org)
    unbalanced = {"postings": [log.money(5)["postings"][0], log.money(6)["postings"][1]]}
    log.donation(org)
    log.add(org, "donation", money=unbalanced)
    log.add(org, "donation", money=unbalanced)
    assert refusal(verify, log.export(org)) == (6, 2)
    log.add(org, "donation")
    assert refusal(verify, log.export(org)) == (3, 4)
    log.add(org, "unknown")
    assert refusal(verify, log.export(org)) == (3, 4)
    data = log.export(org).replace(b'"index":5,"o', b'"index": 5,"o')
    assert refusal(verify, data) == (2, 5)


def test_counts_and_ends(made_log: Any, org: str, verify: Any) -> None:
    data = filled(made_log, org).export(org)
    assert refusal(verify, data + data.splitlines(keepends=True)[-1]) == (2, None)
    assert refusal(verify, b"".join(data.splitlines(keepends=True)[:-1])) == (2, None)
    assert refusal(verify, data[:-1]) == (2, 9)
    assert refusal(verify, b"") == (2, None)
    assert refusal(verify, b"\n") == (2, None)
    assert refusal(verify, data, org="org_other") == (2, None)


def test_platform_kinds_only_in_the_platforms_chain(
    made_log: Any, org: str, verify: Any, make_id: MakeId
) -> None:
    log, platform = made_log, make_id("org", 1)
    log.genesis(platform)
    log.genesis(org)
    log.census(platform)
    log.census(org)
    assert verify(log.export(platform)).entries == 2
    assert refusal(verify, log.export(org)) == (3, 1)


def test_several_processes_judge_as_one(
    made_log: Any, org: str, verify: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "ENTRIES_ALONE_MAX", 0)
    log = filled(made_log, org, 60)
    data = log.export(org)
    alone, together = verify(data), verify(data, processes=2)
    assert alone.head == together.head
    assert alone.figures.balances_minor() == together.figures.balances_minor()
    assert alone.figures.donors_not_given == together.figures.donors_not_given
    edited = data.replace(b"-131", b"-132")
    assert refusal(verify, edited, processes=2) == refusal(verify, edited) == (4, 32)
    spaced = data.replace(b'"index":40,', b'"index": 40,').replace(b'"index":50,', b'"index":50 ,')
    assert refusal(verify, spaced, processes=2) == refusal(verify, spaced) == (2, 40)


def test_what_is_unseen_is_told(made_log: Any, org: str, verify: Any) -> None:
    log = made_log
    log.genesis(org)
    sealed = {"money": {"sealed": "1" * 64}, "details": {"sealed": "2" * 64}}
    due = {"visibility": "delayed_public", "public_after": "2026-04-01T00:00:00.000000Z"}
    log.add(org, "donation", **sealed, **due)
    log.add(org, "expense", money={"sealed": "3" * 64}, visibility="internal_only")
    data = log.export(org)
    before = verify(data, now=datetime(2026, 3, 31, tzinfo=UTC)).figures
    after = verify(data, now=datetime(2026, 4, 1, tzinfo=UTC)).figures
    assert (before.overdue, after.overdue) == (0, 1)
    assert dict(after.sealed_money) == {"delayed_public": 1, "internal_only": 1}
    assert after.partial
    assert after.balances_minor() == {}


def test_an_erased_donor_is_told_from_one_not_given(made_log: Any, org: str, verify: Any) -> None:
    log = made_log
    log.genesis(org)
    gift = log.donation(org, open_donor=True)
    log.donation(org, open_donor=True)
    for opening in log.openings:
        opening.clear()
    for _ in range(2):
        log.add(org, "erasure", ref=gift, details={"basis": "art_17", "sections": ["donor"]})
    figures = verify(log.export(org)).figures
    assert (figures.donors_erased, figures.donors_not_given) == (1, 1)


@pytest.mark.parametrize("income, good", [("1800", True), ("1801", False)])
def test_a_statement_counts_its_month_across_chunks(
    made_log: Any, org: str, verify: Any, make_id: MakeId, income: str, good: bool
) -> None:
    log = made_log
    log.genesis(org)
    log.donation(org)
    log.donation(org)
    log.add(org, "expense", money={"sealed": "3" * 64}, visibility="internal_only")
    total = {"currency": "EUR", "entries": 2, "expenses": "0", "fund": make_id("fund", 3)}
    details = {"period": "2026-03", "totals": [total | {"income": income}]}
    log.add(org, "statement", details=details)
    if good:
        assert verify(log.export(org)).figures.partial
        log.add(org, "statement", details=details)
        assert refusal(verify, log.export(org)) == (11, 5)
    else:
        assert refusal(verify, log.export(org)) == (11, 4)


def test_a_usual_line_and_any_line_are_judged_alike(golden: Any) -> None:
    for text, openings in zip(golden["entries"], golden["openings"], strict=True):
        line = canonical.encode({"entry": text, "index": 7, "openings": openings})
        assert export_form._usual_row(line) == export_form._any_row(line)
        for changed in (line[:-1], line + b" ", line.replace(b":7,", b":07,"), b" " + line):
            assert export_form._usual_row(changed) is None
