"""The daily report over HTTP: for whom, which days, both sides from opening to closing."""

from typing import Any

import pytest

from edge.reconciliation.report import Found, agrees, csv
from tests.edge.society import Society
from tests.edge.stand import Served

DAY = """
    INSERT INTO reconciliation.days VALUES
        ($1, 'acct_1', $2, $3::text::date, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""
SUMS = """
    INSERT INTO reconciliation.sums VALUES ($1, 'acct_1', 'EUR', $2, $2, $3, 0, $4, $5, now())
"""
RUN = """
    INSERT INTO reconciliation.runs (organization, account, movements, outcome, started_at)
    VALUES ($1, 'acct_1', 3, $2, now())
"""
DIFFERENCE = """
    INSERT INTO reconciliation.differences (organization, account, subject, class, reason, currency,
        occurred_at, stripe_amount_minor, stripe_fee_minor, stripe_net_minor, healed_at)
    VALUES ($1, 'acct_1', $2, $3, 'why', 'EUR', now(), 1000, 30, 970, $4::text::timestamptz)
"""
GIFT = (1, 2500, 63, 2437)
NONE = (0, 0, 0, 0)


async def compared(society: Society) -> None:
    """Three days: a gift; a gift and another shop's charge; a gift that is missing here."""
    fetch, own = society.stand.fetch, society.id
    for day, category, stripe, ledger in (
        ("2027-03-01", "charge", GIFT, GIFT),
        ("2027-03-03", "charge", GIFT, GIFT),
        ("2027-03-03", "foreign", (1, 1000, 30, 970), NONE),
        ("2027-03-05", "charge", GIFT, NONE),
    ):
        await fetch(DAY, own, "EUR", day, category, *stripe, *ledger)
    await fetch(SUMS, own, 3 * 2437 + 970, 2 * 2437, 970, 2437)
    await fetch(RUN, own, "differs")
    await fetch(DIFFERENCE, own, "txn_2", "foreign", None)
    await fetch(DIFFERENCE, own, "txn_3", "missing_here", None)
    await fetch(DIFFERENCE, own, "txn_0", "missing_here", "2027-03-02")


async def test_the_report_shows_both_sides_from_opening_to_closing(
    society: Society, edge: Served
) -> None:
    await compared(society)
    key = await society.key("reconciliation:read")
    path = f"/v1/organizations/{society.slug}/reconciliation"
    answer = await edge.get(f"{path}?from=2027-03-02&to=2027-03-05", key)
    assert answer.status == 200, answer.body
    report = answer.json
    assert (report["agrees"], report["open"]) == (False, {"foreign": 1, "missing_here": 1})
    [account] = report["accounts"]
    assert (account["balance_minor"], account["ledger_minor"]) == ("8281", "4874")
    assert [one["day"] for one in account["days"]] == ["2027-03-03", "2027-03-05"]
    first, last = account["days"]
    assert first["stripe"] == {"opening_minor": "2437", "closing_minor": "5844"}
    assert first["ledger"] == {"opening_minor": "2437", "closing_minor": "4874"}
    assert last["stripe"] == {"opening_minor": "5844", "closing_minor": "8281"}
    assert last["ledger"] == {"opening_minor": "4874", "closing_minor": "4874"}
    assert [line["category"] for line in first["movements"]] == ["charge", "foreign"]
    side = {"count": 1, "amount_minor": "2500", "fee_minor": "63", "net_minor": "2437"}
    assert first["movements"][0]["stripe"] == first["movements"][0]["ledger"] == side
    [fault, other] = report["differences"]
    assert (fault["subject"], fault["of_class"], fault["ledger"]) == (
        *("txn_3", "missing_here", None),
    )
    assert fault["stripe"] == {"amount_minor": "1000", "fee_minor": "30", "net_minor": "970"}
    assert other["of_class"] == "foreign"

    whole = (await edge.get(path, key)).json
    assert (whole["first_day"], whole["last_day"]) == ("2027-02-03", "2027-03-05")
    again = await edge.get(path, key, If_None_Match=(await edge.get(path, key)).headers["ETag"])
    assert again.status == 304


async def test_the_report_as_csv(society: Society, edge: Served) -> None:
    await compared(society)
    key = await society.key("reconciliation:read")
    path = f"/v1/organizations/{society.slug}/reconciliation.csv"
    answer = await edge.get(f"{path}?from=2027-03-03&to=2027-03-03", key)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    name = f"reconciliation-{society.slug}-2027-03-03-2027-03-03.csv"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert answer.body.decode().split("\r\n") == [
        "day,account,currency,line,stripe_count,stripe_amount,stripe_fee,stripe_net,"
        "ledger_count,ledger_amount,ledger_fee,ledger_net,difference",
        "2027-03-03,acct_1,EUR,opening,,,,24.37,,,,24.37,0.00",
        "2027-03-03,acct_1,EUR,charge,1,25.00,0.63,24.37,1,25.00,0.63,24.37,0.00",
        "2027-03-03,acct_1,EUR,foreign,1,10.00,0.30,9.70,0,0.00,0.00,0.00,9.70",
        "2027-03-03,acct_1,EUR,closing,,,,58.44,,,,48.74,9.70",
        "",
    ]


async def test_only_keys_that_may_see_all_money_get_the_report(
    society: Society, edge: Served
) -> None:
    path = f"/v1/organizations/{society.slug}/reconciliation"
    other = await society.stand.register()
    assert (await edge.get(path)).status == 401
    assert (await edge.get(path, await society.key("exports"))).code == "scope_missing"
    stranger = await society.key("reconciliation:read", owner=other.id)
    assert (await edge.get(path, stranger)).code == "organization_not_found"
    nobody = await edge.get("/v1/organizations/nobody/reconciliation", stranger)
    assert nobody.code == "organization_not_found"
    exporter = await society.key("reconciliation:read")
    export = await edge.get(f"/v1/organizations/{society.slug}/ledger/export", exporter)
    assert export.code == "scope_missing"


@pytest.mark.parametrize(
    "query",
    [
        "from=2027-03-02&to=2027-03-01",
        "from=2026-03-01&to=2027-03-02",
        "from=20270302",
        "to=yesterday",
        "day=2027-03-01",
        "from=2027-02-30",
    ],
)
async def test_days_that_are_no_days_are_refused(
    society: Society, edge: Served, query: str
) -> None:
    key = await society.key("reconciliation:read")
    path = f"/v1/organizations/{society.slug}/reconciliation?{query}"
    answer = await edge.get(path, key)
    assert (answer.status, answer.code) == (422, "query_not_accepted")


async def test_an_organization_that_was_never_compared_has_an_empty_report(
    society: Society, edge: Served
) -> None:
    key = await society.key("reconciliation:read")
    answer = await edge.get(f"/v1/organizations/{society.slug}/reconciliation?to=0001-01-05", key)
    assert (answer.json["accounts"], answer.json["first_day"]) == ([], "0001-01-01")
    assert not answer.json["agrees"]


def test_nothing_agrees_while_an_account_is_unreachable_or_a_fault_is_open() -> None:
    def found(outcome: str, **counts: int) -> Found:
        rows: Any = [{"account": "acct_1", "currency": None, "outcome": outcome}]
        return Found(rows, [], [], counts, [])

    assert agrees(found("agreed")) and agrees(found("agreed", foreign=2, in_transit=1))
    assert not agrees(found("agreed", missing_here=1))
    assert not agrees(found("unreachable")) and not agrees(found("failed"))
    assert csv(found("unreachable")).count("\r\n") == 1
