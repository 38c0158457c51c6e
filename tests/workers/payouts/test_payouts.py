"""Payouts against the sandbox process and PostgreSQL."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.entries import EntryRequested
from contracts.identifiers import time_of
from tests.workers.bench import Bench, event, new
from tests.workers.conftest import Sandbox
from workers.gateways.stripe_objects import AccessRevoked, BalanceTransaction, Missing, Payout
from workers.payouts import decisions
from workers.payouts.decisions import Ignored, Owner
from workers.payouts.worker import WORKER, Payouts, open_payouts
from workers.runtime.worker import Refused

FUND = new("fund")
OWNER = Owner("acct_1", "public_full", 365, {"EUR": FUND})
CREATED = datetime(2027, 1, 2, tzinfo=UTC)
TRANSACTION = BalanceTransaction("txn_1", "EUR", -9000, 0, 0, -9000, CREATED, "payout", "po_1")
PAYOUT = Payout("po_1", CREATED, TRANSACTION)
EVENT = event(new("org"), "acct_1", "payout.paid", "po_1")


def lines(entry: EntryRequested) -> list[tuple[str, str]]:
    assert entry.postings is not None
    return [(posting.account, posting.amount) for posting in entry.postings]


def test_entry_moves_money_from_stripe_to_the_bank() -> None:
    entry = decisions.payout_entry(PAYOUT, OWNER)
    assert lines(entry) == [("Assets:Bank", "9000"), ("Assets:Stripe", "-9000")]
    assert (entry.kind, entry.subject, entry.visibility) == ("payout", "po_1", "public_full")
    assert entry.details == {
        "payout": "po_1",
        "balance_transaction": "txn_1",
        "occurred": "2027-01-02T00:00:00.000000Z",
        "rule": "default_fund",
    }


def test_fee_of_a_payout() -> None:
    charged = replace(TRANSACTION, fee_minor=90, net_minor=-9090)
    entry = decisions.payout_entry(replace(PAYOUT, balance_transaction=charged), OWNER)
    assert lines(entry) == [
        ("Assets:Bank", "9000"),
        ("Expenses:ProcessorFees", "90"),
        ("Assets:Stripe", "-9090"),
    ]


def test_delayed_organizations_show_payouts_later() -> None:
    owner = replace(OWNER, visibility="delayed_public", public_after_days=30)
    entry = decisions.payout_entry(PAYOUT, owner)
    assert entry.public_after == PAYOUT.created + timedelta(days=30)


@pytest.mark.parametrize(
    ("found", "reason"), [(Missing(), "not_found"), (AccessRevoked(), "access_revoked")]
)
def test_payouts_that_cannot_be_seen(found: Any, reason: str) -> None:
    assert decisions.judge(EVENT, found, OWNER) == Ignored(reason)  # type: ignore[arg-type]  # one of the table's


def test_currency_without_a_fund_is_refused() -> None:
    with pytest.raises(Refused, match="no default fund in EUR"):
        decisions.judge(EVENT, PAYOUT, replace(OWNER, funds={"USD": FUND}))


@pytest.fixture
async def payouts(bench: Bench, sandbox: Sandbox) -> AsyncIterator[Payouts]:
    settings = {**sandbox.settings, "AMPLY_POSTGRES": bench.role_dsn("payouts")}
    async with open_payouts(settings) as opened:
        yield opened


async def paid_out(sandbox: Sandbox, account: str) -> Any:
    """A payout of everything that a gift of EUR 25.00 left on the account."""
    data = {
        "amount": "2500",
        "currency": "eur",
        "confirm": "true",
        "payment_method": "pm_card_bypassPending",
        "automatic_payment_methods[enabled]": "true",
        "automatic_payment_methods[allow_redirects]": "never",
    }
    await sandbox.ask("POST", "/v1/payment_intents", data=data, account=account)
    balance = await sandbox.ask("GET", "/v1/balance", account=account)
    amount = str(balance["available"][0]["amount"])
    payout = await sandbox.ask(
        "POST", "/v1/payouts", data={"amount": amount, "currency": "eur"}, account=account
    )
    await sandbox.control(f"payouts/{payout['id']}", status="paid")
    return payout


async def test_payout_is_requested_once(bench: Bench, sandbox: Sandbox, payouts: Payouts) -> None:
    account = await sandbox.account()
    organization, fund = await bench.organization(account, visibility="public_aggregated")
    payout = await paid_out(sandbox, account)
    told = event(organization, account, "payout.paid", payout["id"])
    [sent] = await bench.settle(WORKER, payouts, [told])
    assert sent.id == decisions.paid_id(
        account, replace(PAYOUT, id=payout["id"], created=time_of(sent.id))
    )
    assert (sent.body.kind, sent.body.visibility) == ("payout", "public_aggregated")
    assert lines(sent.body) == [
        ("Assets:Bank", str(payout["amount"])),
        ("Assets:Stripe", str(-payout["amount"])),
    ]
    assert {posting.fund for posting in sent.body.postings} == {fund}
    again = event(organization, account, "payout.paid", payout["id"])
    assert await bench.settle(WORKER, payouts, [told, again, again]) == []


async def test_what_is_ignored_is_kept_with_its_reason(
    bench: Bench, sandbox: Sandbox, payouts: Payouts
) -> None:
    account = await sandbox.account()
    organization, _ = await bench.organization(account)
    events = [
        event(organization, "acct_other", "payout.paid", "po_1"),
        event(organization, account, "payout.paid", "po_missing"),
        event(organization, account, "payout.failed", "po_1"),
        event(organization, account, "payment_intent.succeeded", "pi_1"),
    ]
    assert await bench.settle(WORKER, payouts, events) == []
    rows = await bench.fetch(
        "SELECT event, reason FROM payouts.ignored_events WHERE organization = $1", organization
    )
    assert {row["event"]: row["reason"] for row in rows} == {
        events[0].body.event: "foreign",
        events[1].body.event: "not_found",
        events[2].body.event: "not_booked",
    }


async def test_currency_without_a_default_fund_is_set_aside(
    bench: Bench, sandbox: Sandbox, payouts: Payouts
) -> None:
    account = await sandbox.account()
    organization, fund = await bench.organization(account)
    await bench.fetch("UPDATE edge.funds SET is_default = false WHERE id = $1", fund)
    payout = await paid_out(sandbox, account)
    told = event(organization, account, "payout.paid", payout["id"])
    [refused] = await bench.settle(WORKER, payouts, [told])
    assert refused.body.code == "no_default_fund"
    assert await bench.set_aside(WORKER) == [("dead", "no_default_fund")]
