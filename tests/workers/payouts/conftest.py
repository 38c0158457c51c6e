from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts.entries import EntryRequested
from contracts.looks import PayoutLookRequested
from tests.workers.bench import Bench, bodies, event, message, new
from tests.workers.conftest import Sandbox
from topics.registry import PAYOUTS_LOOK_REQUESTED
from workers.gateways.stripe_balance import read_line
from workers.payouts.looking import Payouts
from workers.payouts.worker import WORKER, open_payouts


@pytest.fixture
async def payouts(bench: Bench, sandbox: Sandbox) -> AsyncIterator[Payouts]:
    settings = {
        **sandbox.settings,
        "AMPLY_POSTGRES": bench.role_dsn("payouts"),
        "AMPLY_ENVIRONMENT": "test",
    }
    async with open_payouts(settings) as opened:
        yield opened


class Scene:
    """An organization with two funds, its account at Stripe, and what payouts makes of it."""

    def __init__(self, bench: Bench, sandbox: Sandbox, payouts: Payouts) -> None:
        self.bench, self.sandbox, self.payouts = bench, sandbox, payouts

    async def prepare(self, **columns: Any) -> "Scene":
        self.account = await self.sandbox.account()
        self.organization, self.fund = await self.bench.organization(self.account, **columns)
        self.other_fund = new("fund")
        return self

    async def gift(self, amount: int, fund: str | None = None, *, booked: bool = True) -> Any:
        """A gift that is available at once; its balance transaction, booked as payments does."""
        metadata = {
            "metadata[donation]": new("don"),
            "metadata[organization]": self.organization,
        }
        charged = await self.charge(amount, **metadata)
        if booked:
            await self.book(charged, fund or self.fund)
        return charged

    async def charge(self, amount: int, **more: str) -> Any:
        """Money on the account; without our metadata it is another shop's."""
        data = {
            "amount": str(amount),
            "currency": "eur",
            "confirm": "true",
            "payment_method": "pm_card_bypassPending",
            "automatic_payment_methods[enabled]": "true",
            "automatic_payment_methods[allow_redirects]": "never",
            "expand[]": "latest_charge.balance_transaction",
            **more,
        }
        intent = await self.sandbox.ask(
            "POST", "/v1/payment_intents", data=data, account=self.account
        )
        return intent["latest_charge"]["balance_transaction"]

    async def book(self, transaction: Any, fund: str) -> None:
        line = read_line(transaction)
        await self.bench.fetch(
            "INSERT INTO payments.movements (organization, account, balance_transaction, category,"
            " source, fund, currency, amount_minor, fee_minor, net_minor, entry, occurred_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            *(self.organization, self.account, line.id, line.category, line.source, fund),
            *(line.currency, line.amount_minor, line.fee_minor, line.net_minor),
            *(new("ent"), line.created),
        )

    async def manual(self, amount: int) -> str:
        """A payout made by hand in Stripe's dashboard."""
        data = {"amount": str(amount), "currency": "eur"}
        made = await self.sandbox.ask("POST", "/v1/payouts", data=data, account=self.account)
        return str(made["id"])

    async def automatic(self) -> str:
        """A payout on Stripe's own schedule, of everything there is."""
        made = await self.sandbox.control(f"accounts/{self.account}/payouts")
        return str(made["payouts"][0]["id"])

    async def becomes(self, payout: str, status: str) -> None:
        await self.sandbox.control(f"payouts/{payout}", status=status)

    async def event(self, event_type: str, payout: str) -> list[Any]:
        """What is sent after an event."""
        told = event(self.organization, self.account, event_type, payout)
        return await self.settle(told)

    async def look(self, found: str) -> list[Any]:
        """What is sent after a look."""
        body = PayoutLookRequested(account=self.account, object=found, reason="stuck")
        return await self.settle(message(PAYOUTS_LOOK_REQUESTED, self.organization, body))

    async def settle(self, *messages: Any) -> list[Any]:
        return await self.bench.settle(WORKER, self.payouts, messages)

    async def row(self, payout: str) -> dict[str, Any]:
        rows = await self.bench.fetch("SELECT * FROM payouts.payouts WHERE id = $1", payout)
        return rows[0]

    async def balance(self) -> int:
        body = await self.sandbox.ask("GET", "/v1/balance", account=self.account)
        return sum(part["amount"] for part in body["available"] + body["pending"])

    async def booked_balance(self) -> int:
        """What all movements leave on the account."""
        rows = await self.bench.fetch(
            "SELECT coalesce(sum(net_minor), 0)::bigint AS net FROM (SELECT net_minor, account"
            " FROM payments.movements UNION ALL SELECT net_minor, account FROM payouts.movements"
            " UNION ALL SELECT net_minor, account FROM payouts.foreign_movements) AS m"
            " WHERE account = $1",
            self.account,
        )
        return int(rows[0]["net"])


def entries(sent: list[Any]) -> list[EntryRequested]:
    return bodies(sent, EntryRequested)


def lines(entry: EntryRequested) -> dict[tuple[str, str], int]:
    """Amounts by account and fund."""
    assert entry.postings is not None
    assert sum(int(posting.amount) for posting in entry.postings) == 0
    return {(one.account, one.fund): int(one.amount) for one in entry.postings}


@pytest.fixture
async def scene(bench: Bench, sandbox: Sandbox, payouts: Payouts) -> Scene:
    return await Scene(bench, sandbox, payouts).prepare()
