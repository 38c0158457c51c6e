"""Organizations whose payouts are looked at, and those that Amply pays out itself."""

from datetime import timedelta
from typing import Any

from contracts.entries import EntryRequested
from contracts.looks import PayoutLookRequested
from tests.workers.bench import Bench, bodies, event, message, new
from tests.workers.conftest import Sandbox
from topics.registry import PAYOUTS_LOOK_REQUESTED
from workers.gateways.stripe_balance import read_line
from workers.payouts import job
from workers.payouts.looking import Payouts
from workers.payouts.store import job as store
from workers.payouts.worker import WORKER

DAY = timedelta(days=1)


class Scene:
    """An organization with two funds, its account at Stripe, and what payouts makes of it."""

    def __init__(self, bench: Bench, sandbox: Sandbox, payouts: Payouts) -> None:
        self.bench, self.sandbox, self.payouts = bench, sandbox, payouts

    async def prepare(self, country: str = "DE", **columns: Any) -> "Scene":
        self.account = await self.sandbox.account(country)
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

    async def pays_by_hand(self) -> None:
        """Stripe makes no payouts by itself any more."""
        data = {"settings[payouts][schedule][interval]": "manual"}
        await self.sandbox.ask("POST", f"/v1/accounts/{self.account}", data=data)

    async def bank_is_verified(self) -> None:
        """The bank account is good again, after a failure that made Stripe stop paying to it."""
        body = await self.sandbox.ask("GET", f"/v1/accounts/{self.account}")
        for bank in body["external_accounts"]["data"]:
            path = f"accounts/{self.account}/external_accounts/{bank['id']}"
            await self.sandbox.control(path, status="verified")

    async def event(self, event_type: str, payout: str) -> list[Any]:
        """What is sent after an event."""
        told = event(self.organization, self.account, event_type, payout)
        return await self.settle(told)

    async def look(self, found: str) -> list[Any]:
        """What is sent after a look."""
        return await self.settle(self.to_look(found))

    def to_look(self, found: str) -> Any:
        """The message that asks for it."""
        body = PayoutLookRequested(account=self.account, object=found, reason="stuck")
        return message(PAYOUTS_LOOK_REQUESTED, self.organization, body)

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


class Own(Scene):
    """The same scene, of an organization that lets Amply pay it out."""

    async def own(self, country: str = "DE", **settings: Any) -> "Own":
        await self.prepare(country, state={"bank_account": "ba_1", "bank_status": "new"})
        values = {"organization": self.organization, "paid_by": "amply"} | settings
        names = ", ".join(values)
        marks = ", ".join(f"${number}" for number in range(1, len(values) + 1))
        await self.bench.fetch(
            f"INSERT INTO edge.payout_settings ({names}, changed_at) VALUES ({marks}, now())",
            *values.values(),
        )
        return self

    async def round(self, days: int = 0) -> None:
        """A round, so many days later."""
        now = await self.payouts.clock.now(self.payouts.pool) + days * DAY
        wanted = dict(await store.wanted(self.payouts.pool))
        await job.pay_out_organization(
            self.payouts, self.organization, wanted[self.organization], now
        )

    async def change(self, table: str, **columns: Any) -> None:
        changes = ", ".join(f"{name} = ${number}" for number, name in enumerate(columns, 2))
        await self.bench.fetch(
            f"UPDATE {table} SET {changes} WHERE organization = $1",
            self.organization,
            *columns.values(),
        )

    async def made(self) -> list[int]:
        """The amounts of all payouts at Stripe, oldest first."""
        body = await self.sandbox.ask("GET", "/v1/payouts?limit=100", account=self.account)
        return [payout["amount"] for payout in reversed(body["data"])]

    async def newest(self) -> str:
        body = await self.sandbox.ask("GET", "/v1/payouts?limit=1", account=self.account)
        return str(body["data"][0]["id"])

    async def states(self) -> list[str]:
        rows = await self.bench.fetch(
            "SELECT reason FROM payouts.states WHERE organization = $1 ORDER BY position",
            self.organization,
        )
        return [row["reason"] for row in rows]

    async def attempts(self) -> list[tuple[int, str]]:
        rows = await self.bench.fetch(
            "SELECT attempt, state FROM payouts.attempts WHERE organization = $1"
            " ORDER BY due_on, attempt",
            self.organization,
        )
        return [(row["attempt"], row["state"]) for row in rows]
