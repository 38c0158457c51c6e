"""Transactions over HTTP: newest first, by fund, type, project and time; refunds show."""

from typing import Any

import pytest

from ledger.transactions import transaction_id
from tests.edge.office import Office
from tests.edge.scribe import Scribe
from tests.ledger.making import name, postings, refund

pytestmark = pytest.mark.asyncio


async def fill(office: Office) -> dict[str, str]:
    society = office.society
    euros, dollars = society.funds["EUR"], society.funds["USD"]
    scribe = Scribe(society.stand)
    gifts = {
        "shown": society.gift(f"shown {society.id}", 1000),
        "sealed": society.gift(f"sealed {society.id}", 700, visibility="internal_only"),
        "dollars": society.gift(
            f"dollars {society.id}", 900, postings=postings(900, dollars, "USD")
        ),
    }
    for gift in gifts.values():
        await scribe.append([gift])
    back = refund(
        society.id,
        f"back {society.id}",
        gifts["shown"].id,
        postings=postings(-1000, euros),
        details={},
    )
    await scribe.append([back])
    return {of: gift.id for of, gift in gifts.items()} | {"back": back.id}


def ids(rows: list[Any]) -> list[str]:
    return [row["entry"] for row in rows]


async def test_transactions_are_listed_newest_first_and_filtered(office: Office) -> None:
    entries = await fill(office)
    every = await office.everything("transactions", limit=1)
    assert ids(every) == [entries[of] for of in ("back", "dollars", "sealed", "shown")]
    assert [row["amount_minor"] for row in every] == [-1000, 900, 700, 1000]
    assert [row["status"] for row in every] == ["completed", "completed", "completed", "refunded"]
    gifts = await office.everything("transactions?type=donation")
    assert ids(gifts) == [entries[of] for of in ("dollars", "sealed", "shown")]
    dollars = office.society.funds["USD"]
    for path in (f"funds/{dollars}/transactions", f"transactions?fund={dollars}"):
        [row] = await office.everything(path)
        assert (row["entry"], row["currency"]) == (entries["dollars"], "USD")
    moment = every[1]["recorded_at"]
    assert ids(await office.everything(f"transactions?from={moment}")) == ids(every[:2])
    assert ids(await office.everything(f"transactions?before={moment}")) == ids(every[2:])
    assert await office.everything("transactions?type=fee") == []


async def test_one_transaction_is_shown_by_its_id(office: Office) -> None:
    entries = await fill(office)
    identifier = transaction_id(entries["sealed"], office.society.funds["EUR"], "donation")
    shown = (await office.get(f"transactions/{identifier}")).json
    assert shown == {
        "id": identifier,
        "object": "transaction",
        "organization": office.society.id,
        "fund": office.society.funds["EUR"],
        "type": "donation",
        "status": "completed",
        "amount_minor": 700,
        "currency": "EUR",
        "entry": entries["sealed"],
        "ref": None,
        "campaign": None,
        "project": None,
        "booking": None,
        "occurred_at": shown["occurred_at"],
        "recorded_at": shown["recorded_at"],
    }
    missing = await office.get("transactions/txn_" + "0" * 26)
    assert (missing.status, missing.code) == (404, "transaction_not_found")
    missing = await office.get(f"funds/{name('fund', 'nobody')}/transactions")
    assert (missing.status, missing.code) == (404, "fund_not_found")


@pytest.mark.parametrize(
    "query",
    ["type=gift", "from=2027-02-30T00:00:00Z", "from=yesterday", "fund=1", "limit=0", "cursor=x"],
)
async def test_other_questions_are_refused(office: Office, query: str) -> None:
    answer = await office.get(f"transactions?{query}")
    assert (answer.status, answer.code) == (422, "query_not_accepted")
